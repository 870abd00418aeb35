"""Asks the real application as a server would, through WSGI, without a client that puts anything right."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from testbed.web_face import WebFace, web_face

from controller.ledger.asking import Asking
from fuzz.target import Site, hold

_WITHOUT_PREFIX = {"Content-Type": "CONTENT_TYPE"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says; `Broken` where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            hold(False, f"an answer that is no JSON: {self.status} {self.body[:200]!r}")


@dataclass(frozen=True, slots=True)
class Face:
    """The application, and the Redis behind it."""

    web: WebFace
    redis: redis.Redis

    def ask(
        self,
        method: str,
        path: bytes,
        *,
        query: bytes = b"",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        announced: str | None = None,
    ) -> Answer:
        """Ask; an error that the application did not foresee is raised here."""
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path.decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8095",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)) if announced is None else announced,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **{_WITHOUT_PREFIX.get(n, f"HTTP_{n.upper().replace('-', '_')}"): v for n, v in headers},
        }
        told: list[Any] = []
        chunks = self.web.app.wsgi_app(environ, lambda status, fields, *_: told.append((status, fields)))
        try:
            content = b"".join(chunks)
        finally:
            chunks.close()
        status, fields = told[-1]
        hold(not any(c in value for _, value in fields for c in "\r\n\0"), f"a header of two lines: {fields}")
        return Answer(int(status[:3]), dict(fields), content)

    def forget(self) -> None:
        """Begin with a Redis that holds nothing: a case depends on itself alone."""
        self.redis.flushall()

    def writes(self) -> int:
        """Count the changes that Redis has made so far."""
        return int(self.redis.info("persistence")["rdb_changes_since_last_save"])

    def bearer(self, name: str) -> tuple[str, str]:
        """Return the header with somebody's token."""
        return "Authorization", f"Bearer {self.web.secret(name)}"


@contextmanager
def face(site: Site) -> Iterator[Face]:
    """Serve; what nobody foresaw is raised and not answered, and questions to workers find none at once."""
    folder = site.folder / "face"
    folder.mkdir(exist_ok=True)
    with web_face(folder, site.redis.url) as web, site.redis.client() as client:
        web.app.testing = True
        web.app.error_handler_spec[None][None].pop(Exception)
        with _nobody_answers():
            yield Face(web, client)


@contextmanager
def _nobody_answers() -> Iterator[None]:
    before: Callable[..., Any] = Asking.wait
    Asking.wait = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Asking.wait = before  # type: ignore[method-assign]
