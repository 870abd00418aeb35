"""A webhook address that does not work for a while: each request is answered 500 until somebody mends it."""

from __future__ import annotations

import contextlib
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Flaky:
    """What stands before a receiver. `refused` counts what it answered 500, `passed` what it passed on."""

    behind: str
    port: int = 0
    refused: int = 0
    passed: list[int] = field(default_factory=list)
    _mended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address for Alertmanager."""
        return f"http://127.0.0.1:{self.port}/"

    def mend(self) -> None:
        """Pass everything on from now on."""
        self._mended.set()

    def take(self, body: bytes, authorization: str) -> int:
        """Answer one request; returns the status."""
        if not self._mended.is_set():
            self.refused += 1
            return 500
        request = urllib.request.Request(self.behind, data=body, headers={"Authorization": authorization})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as refusal:
            status = refusal.code
        self.passed.append(status)
        return status


@contextlib.contextmanager
def flaky(behind: str) -> Iterator[Flaky]:
    """Stand before a receiver."""
    made = Flaky(behind)

    class Between(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.take(body, self.headers["Authorization"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
