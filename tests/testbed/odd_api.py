"""A server that answers as no healthy API server does: it hangs, trickles, breaks off."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    shown: str | None = None
    """The common name on the client's certificate."""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Says:
    """One answer: JSON where the body is no text. `odd` is done in place of the body."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    odd: Callable[[http.server.BaseHTTPRequestHandler, threading.Event], None] | None = None

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def status(code: int, message: str) -> Says:
    """Answer as an API server says no."""
    return Says(
        code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    )


def hangs() -> Says:
    """Take the request, and say nothing."""
    return Says(odd=lambda _, over: over.wait(60))


def trickles() -> Says:
    """Send a byte now and then, so that no single wait is long."""

    def send(handler: http.server.BaseHTTPRequestHandler, over: threading.Event) -> None:
        _head(handler, 10_000)
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    return Says(odd=send)


def breaks_off() -> Says:
    """Promise more than is sent, then close."""

    def send(handler: http.server.BaseHTTPRequestHandler, _: threading.Event) -> None:
        _head(handler, 10_000)
        handler.wfile.write(b'{"half":')
        handler.close_connection = True

    return Says(odd=send)


def drops() -> Says:
    """Close without a word."""

    def close(handler: http.server.BaseHTTPRequestHandler, _: threading.Event) -> None:
        handler.close_connection = True

    return Says(odd=close)


class OddApi:
    """Answers what was put into `says`, by path or else in turn; remembers what was asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.says: list[Says] = []
        self.by_path: dict[str, Says] = {"/readyz": Says(200, "ok")}
        self.connections = 0
        self.over = threading.Event()
        self._server = _Server(self, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        scheme = "http" if tls is None else "https"
        self.port = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop; whoever hangs is let go."""
        self.over.set()
        self._server.shutdown()
        self._server.cut()
        self._server.server_close()
        self._thread.join()

    def answer(self, seen: Seen) -> Says:
        """Note a request and choose its answer; the last one is given again and again."""
        path = seen.path.partition("?")[0]
        if path in self.by_path:
            return self.by_path[path]
        self.seen.append(seen)
        return self.says.pop(0) if len(self.says) > 1 else self.says[0] if self.says else Says()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, api: OddApi, tls: ssl.SSLContext | None) -> None:
        self.api, self._tls = api, tls
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Greet in the connection's own thread; a client that does not like our certificate is no news."""
        self.api.connections += 1
        with contextlib.suppress(OSError):  # among them every error of TLS
            if self._tls is None:
                with self._kept(request):
                    super().finish_request(request, client_address)
                return
            with self._tls.wrap_socket(request, server_side=True) as wrapped, self._kept(wrapped):
                super().finish_request(wrapped, client_address)

    @contextlib.contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[None]:
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    def cut(self) -> None:
        """Break the connections that clients still hold."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close; with TLS the wrapped socket has taken the plain one over."""
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.command, self.path, dict(self.headers), body, self._shown())
        says = self.server.api.answer(seen)
        if says.odd is not None:
            says.odd(self, self.server.api.over)
            self.close_connection = True
            return
        _head(self, len(says.content), says.status, says.headers)
        self.wfile.write(says.content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

    def _shown(self) -> str | None:
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        names = dict(pair for part in (peer or {}).get("subject", ()) for pair in part)
        return names.get("commonName")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _head(
    handler: http.server.BaseHTTPRequestHandler,
    length: int,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.flush()


@contextlib.contextmanager
def odd_api(tls: ssl.SSLContext | None = None) -> Iterator[OddApi]:
    """Run one."""
    api = OddApi(tls)
    try:
        yield api
    finally:
        api.close()
