"""Asks a URL of a service. Answers from elsewhere do not count: no redirect is followed and no proxy used."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit


class NoAnswer(Exception):
    """Nothing came that could be judged."""


def why_not_healthy(url: str, timeout_s: float) -> str | None:
    """Return None if the URL answers with 2xx or 3xx in time, else what it did instead.

    Only the head of the answer is read.
    """
    try:
        status, _ = ask(url, timeout_s)
    except NoAnswer as why:
        return str(why)
    return None if 200 <= status < 400 else f"{url} answers {status}"


def ask(url: str, timeout_s: float, most_bytes: int = 0) -> tuple[int, bytes]:
    """Return the status of an answer, and so much of its body; raises `NoAnswer`.

    The whole exchange has one deadline: a server that sends a byte now and then does not hold us.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    except (http.client.InvalidURL, ValueError) as error:
        raise NoAnswer(f"{url} is not a URL: {error}") from error
    late = threading.Event()
    cut = threading.Timer(timeout_s, _cut, (connection, late))
    try:
        connection.connect()
        cut.start()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "rollback-controller", "Connection": "close"})
        with connection.getresponse() as response:
            status, body = response.status, response.read(most_bytes) if most_bytes else b""
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{url} does not answer: {error or type(error).__name__}") from error
    finally:
        cut.cancel()
        connection.close()
    if late.is_set():
        # What was cut looks like an answer that ended early.
        raise NoAnswer(f"{url} does not answer within {timeout_s:g} s")
    return status, body


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
