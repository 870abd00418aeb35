"""Asks a health URL. Answers from elsewhere do not count: no redirect is followed and no proxy used."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit


def why_not_healthy(url: str, timeout_s: float) -> str | None:
    """Return None if the URL answers with 2xx or 3xx in time, else what it did instead.

    Only the head of the answer is read. The whole exchange has one deadline: a server that sends a byte now and
    then does not hold us.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    except (http.client.InvalidURL, ValueError) as error:
        return f"{url} is not a URL: {error}"
    late = threading.Event()
    cut = threading.Timer(timeout_s, _cut, (connection, late))
    try:
        connection.connect()
        cut.start()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": "rollback-controller", "Connection": "close"})
        with connection.getresponse() as response:
            status = response.status
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer: {error or type(error).__name__}"
    finally:
        cut.cancel()
        connection.close()
    if late.is_set():
        # What was cut looks like an answer that ended early.
        return f"{url} does not answer within {timeout_s:g} s"
    return None if 200 <= status < 400 else f"{url} answers {status}"


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
