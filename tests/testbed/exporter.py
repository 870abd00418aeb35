"""An application's metrics, as a test says they are: a target for a real Prometheus."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Exporter:
    """One target. `text` is what it answers with; empty: it answers 503, and is not scraped.

    `source` gives the text anew for every scrape.
    """

    port: int
    text: str = ""
    source: Callable[[], str] | None = None

    @property
    def address(self) -> str:
        """What its metrics are labelled with as `instance`."""
        return f"127.0.0.1:{self.port}"

    def tells(self, *lines: str) -> None:
        """Answer with these series from now on."""
        self.text = "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def exporter() -> Iterator[Exporter]:
    """Run one."""

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (made.source() if made.source else made.text).encode()
            self.send_response(200 if body else 503)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        made = Exporter(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
