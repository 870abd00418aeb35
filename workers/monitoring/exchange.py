"""One exchange with a monitoring server: bounded in time and size, repeated once at most, no redirect followed."""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError

from controller.settings.secrets import SecretUnreadable
from rules.decisions import Reason
from rules.errors import Transient

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from controller.settings.monitoring import MonitoringAccess

ANSWER_CAP = 16 << 20
"""Bytes of one answer: some twenty thousand alerts."""

_AGENT = "rollback-controller"
_PART = 1 << 16
_SHOWN = 300
_BUSY = frozenset({502, 503, 504})
"""A proxy or a server that starts: worth the one repetition."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is."""

    status: int
    body: bytes
    date: str = ""
    """The server's own clock, as HTTP writes it."""


class Exchange:
    """Asks one server. Cheap to build; connections are opened when needed and closed by `close`."""

    def __init__(self, name: str, access: MonitoringAccess) -> None:
        self._name = name
        self._access = access
        self._pool: urllib3.PoolManager | None = None

    def ask(self, path: str, form: Mapping[str, str] | None = None) -> Answer:
        """Get a path, or post a form to it; raises `Transient` (monitoring-blind) where no whole answer comes."""
        deadline = time.monotonic() + self._access.timeout_s
        headers = self._headers()
        try:
            answer = self._once(path, form, headers, deadline)
            if answer.status not in _BUSY:
                return answer
        except (HTTPError, OSError) as error:  # a connection that was kept too long, a server that starts
            if _too_late(error):
                self._late(error)
        try:
            return self._once(path, form, headers, deadline)
        except (HTTPError, OSError) as error:
            if _too_late(error):
                self._late(error)
            self.blind(f"cannot be reached ({_cause(error)})", "Does it run, and is that its address?", error)

    def blind(self, what: str, hint: str, cause: Exception | None = None) -> NoReturn:
        """Say that nothing can be known now, and what a person can do."""
        message = f"{self._name} at {self._access.url} {what}. {hint}"
        raise Transient(Reason.MONITORING_BLIND, message) from cause

    def close(self) -> None:
        """Let go of the connections."""
        if self._pool is not None:
            self._pool.clear()
            self._pool = None

    def _late(self, cause: Exception) -> NoReturn:
        setting = f"{self._name.lower()}.timeout-s"
        self.blind(
            f"did not answer within {self._access.timeout_s:g} s",
            f"Is it overloaded? {setting} says how long.",
            cause,
        )

    def _once(
        self, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str], deadline: float
    ) -> Answer:
        response = self._send(path, form, headers, deadline)
        body = _read(response, deadline)
        if body is None:
            much = f"sends more than {ANSWER_CAP >> 20} MiB for one answer"
            self.blind(much, "Ask for less, as with `sum by (…)`.")
        return Answer(response.status, body, response.headers.get("Date", ""))

    def _send(
        self, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str], deadline: float
    ) -> BaseHTTPResponse:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return self._connections().request(
            "GET" if form is None else "POST",
            self._access.url + path,
            body=None if form is None else urlencode(form, errors="replace"),
            headers=headers if form is None else {**headers, "Content-Type": "application/x-www-form-urlencoded"},
            timeout=urllib3.Timeout(total=left_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    def _headers(self) -> Mapping[str, str]:
        """Read the credentials anew: they are rotated."""
        try:
            token, password = self._access.token(), self._access.password()
        except SecretUnreadable as error:
            self.blind("cannot be asked", str(error), error)
        headers = {"Accept": "application/json", "User-Agent": _AGENT}
        if token is not None:
            word = token.get_secret_value()
            if not (word.isascii() and word.isprintable()):
                self.blind("cannot be asked", f"{self._access.token_file} must hold one token, on one line.")
            headers["Authorization"] = f"Bearer {word}"
        if password is not None:
            login = f"{self._access.username}:{password.get_secret_value()}"
            headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
        return headers

    def _connections(self) -> urllib3.PoolManager:
        if self._pool is None:
            self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=self._tls())
        return self._pool

    def _tls(self) -> ssl.SSLContext | None:
        """Trust who the settings say; the system's certificates cost 20 ms to load: only where TLS is spoken."""
        if not self._access.url.startswith("https:"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # newer Pythons' strict checks fail many a company's CA
        try:
            if self._access.ca_file is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(cafile=self._access.ca_file)
        except (OSError, ssl.SSLError) as error:
            hint = f"{self._access.ca_file} cannot be read as certificates in PEM: correct it."
            self.blind("cannot be asked", hint, error)
        return context


def _read(response: BaseHTTPResponse, deadline: float) -> bytes | None:
    """Read to the end; None if that is too far away. Raises `TimeoutError` where it is too late."""
    whole = bytearray()
    try:
        while part := _part(response, deadline):
            whole += part
            if len(whole) > ANSWER_CAP:
                response.close()
                return None
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(whole)


def _part(response: BaseHTTPResponse, deadline: float) -> bytes:
    """Read what is there; the socket's own time limit would begin anew with every byte."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    if (sock := getattr(response.connection, "sock", None)) is not None:
        sock.settimeout(left_s)
    return response.read1(_PART)


def _too_late(error: Exception) -> bool:
    if isinstance(error, NewConnectionError):  # refused, or no such name: the library counts it as late
        return False
    return isinstance(error, (TimeoutError, ConnectTimeoutError, ReadTimeoutError))


def _cause(error: BaseException) -> str:
    """Dig out what really happened; the library wraps it, and its own words name objects."""
    while not isinstance(error, OSError):
        last = error.args[-1] if error.args else None
        below = error.__cause__ or (last if isinstance(last, BaseException) else None) or error.__context__
        if below is None:
            break
        error = below
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return shown(words)


def shown(text: str) -> str:
    """Return a server's words as a message may hold them: printable, on one line, not long."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"
