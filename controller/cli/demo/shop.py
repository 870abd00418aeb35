"""The shop: a real HTTP service whose release.json says which version it is and how well it works.

It is what a release directory of the demo holds, and it is started from there: `python shop.py PORT`.
"""

from __future__ import annotations

import itertools
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RELEASE = json.loads((Path(__file__).resolve().parent / "release.json").read_text(encoding="utf-8"))
ORDERS = itertools.count(1)


class Shop(BaseHTTPRequestHandler):
    """Sells; the bad release is alive and yet fails every other order."""

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path == "/healthz":
            self._answer(200, {"version": RELEASE["version"]})
        elif RELEASE["fails"] and next(ORDERS) % 2:
            self._answer(500, {"error": "the basket is gone", "version": RELEASE["version"]})
        else:
            self._answer(200, {"sold": True, "version": RELEASE["version"]})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Log nothing: the demo tells its own story."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
