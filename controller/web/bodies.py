"""Reads request bodies: bounded in size, and by a bounded number of threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from controller.web.refusals import Refusal, unavailable

if TYPE_CHECKING:
    from flask import Request

STEP: Final = 256 * 1024
READERS: Final = 8
"""So many threads may wait for bodies of the API; a client that stalls must not keep the others from anything."""

_room = threading.Semaphore(READERS)


def announced_bytes(request: Request, most_bytes: int) -> int | None:
    """Return the length that a body is announced with, None where it is not; raises a `Refusal`.

    A body that is announced too large is refused before a byte of it is read.
    """
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise Refusal(415, f"Content-Encoding {encoding[:40]!r} is not read here; send the body as it is")
    announced = request.content_length
    if announced is not None and announced > most_bytes:
        raise _too_large(most_bytes)
    return announced


def read_body(request: Request, most_bytes: int, admit: Callable[[int], None] | None = None) -> bytes:
    """Read the whole body; raises a 413 `Refusal` for more than `most_bytes`, 400 for one that ends early.

    A chunked body is refused as soon as it is too large. `admit` is asked before each piece is read; without it
    the reader takes one of the few places there are for the API.
    """
    announced = announced_bytes(request, most_bytes)
    body = _read(request, most_bytes, admit) if admit else _read_in_turn(request, most_bytes)
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    if announced is not None and len(body) < announced:
        raise Refusal(400, f"the body ended after {len(body)} of {announced} bytes", field="body")
    return body


def _read_in_turn(request: Request, most_bytes: int) -> bytes:
    if not _room.acquire(blocking=False):
        raise unavailable("too many bodies are being read at once; send it again")
    try:
        return _read(request, most_bytes, lambda _: None)
    finally:
        _room.release()


def _read(request: Request, most_bytes: int, admit: Callable[[int], None]) -> bytes:
    # Straight from the server: it ends the body itself (`wsgi.input_terminated`), chunked or not.
    stream = request.environ["wsgi.input"]
    pieces: list[bytes] = []
    room = most_bytes + 1
    while room:
        wanted = min(STEP, room)
        admit(wanted)
        piece = stream.read(wanted)
        if not piece:
            break
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces)


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        413,
        f"the body is larger than {most_bytes} bytes; set max_alerts in Alertmanager's webhook_config, "
        "or raise body_max in the settings",
        field="body",
    )
