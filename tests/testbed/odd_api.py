"""A server that answers as no healthy API server does: it hangs, trickles, breaks off, shows odd certificates."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


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


class Authority:
    """A certificate authority of a test's own."""

    def __init__(self, name: str = "testbed") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self._certificate = self._sign(self._name, self._key.public_key(), -DAY, DAY, ca=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, folder: Path, *, host: str = "127.0.0.1", ends: dt.timedelta = DAY) -> ssl.SSLContext:
        """Return what a server needs whose certificate is for `host` and ends then."""
        certificate, key = self.issue(folder, f"server-{host}", host=host, ends=ends)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def issue(
        self, folder: Path, name: str, *, host: str | None = None, ends: dt.timedelta = DAY
    ) -> tuple[Path, Path]:
        """Write a certificate for `name` and its key; return both files."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(_name(name), key.public_key(), min(-DAY, ends - DAY), ends, host=host)
        files = folder / f"{name}.crt", folder / f"{name}.key"
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files[1].write_bytes(key.private_bytes(pem, kind, serialization.NoEncryption()))
        return files

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        begins: dt.timedelta,
        ends: dt.timedelta,
        *,
        ca: bool = False,
        host: str | None = None,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        building = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if host is not None:
            building = building.add_extension(x509.SubjectAlternativeName([_host(host)]), critical=False)
        return building.sign(self._key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
