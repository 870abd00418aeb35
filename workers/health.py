"""Health of a worker machine over HTTP, in the words of both families, where the settings say `worker-listen`.

Redis is not asked: a restart would not bring it back, and workers take part again by themselves.
"""

from __future__ import annotations

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from workers.pulse import Pulse

log = structlog.get_logger(__name__)

_ALIVE = frozenset({"/livez", "/-/healthy"})
_READY = frozenset({"/readyz", "/-/ready"})


def serve_health(address: tuple[str, int], pulse: Pulse) -> None:
    """Answer until the process is ended; an address that cannot be had ends it at once, with an `OSError`."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in _ALIVE:
                self._answer(pulse.alive, "the supervisor does not look after its processes")
            elif path in _READY:
                self._answer(pulse.ready, "not every process of this machine runs; the log says which, and why")
            else:
                self.send_error(404)

        def _answer(self, well: bool, otherwise: str) -> None:  # noqa: FBT001
            body = b"ok\n" if well else f"{otherwise}\n".encode()
            self.send_response(200 if well else 503)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: it is asked every few seconds."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of one who hung up before the answer."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    with Server(address, Handler) as server:
        log.info("health.listening", address=f"{address[0]}:{server.server_address[1]}")
        server.serve_forever()
