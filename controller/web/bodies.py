"""Reads request bodies: bounded in size, and by a bounded number of threads at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from controller.web.refusals import Refusal, unavailable

if TYPE_CHECKING:
    from flask import Request

READERS: Final = 24
"""So many threads may wait for bodies; a sender that stalls must not keep the others from health and API."""

_STEP: Final = 256 * 1024
_room = threading.Semaphore(READERS)


def read_body(request: Request, most_bytes: int) -> bytes:
    """Read the whole body; raises a 413 `Refusal` for more than `most_bytes`, 400 for one that ends early.

    A length that is announced too large is refused before a byte is read, a chunked body as soon as it is.
    """
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ("", "identity"):
        raise Refusal(415, f"Content-Encoding {encoding[:40]!r} is not read here; send the body as it is")
    announced = request.content_length
    if announced is not None and announced > most_bytes:
        raise _too_large(most_bytes)
    body = _read(request, most_bytes)
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    if announced is not None and len(body) < announced:
        raise Refusal(400, f"the body ended after {len(body)} of {announced} bytes", field="body")
    return body


def _read(request: Request, most_bytes: int) -> bytes:
    # Straight from the server: it ends the body itself (`wsgi.input_terminated`), chunked or not.
    stream = request.environ["wsgi.input"]
    if not _room.acquire(blocking=False):
        raise unavailable("too many bodies are being read at once; send it again")
    try:
        pieces: list[bytes] = []
        room = most_bytes + 1
        while room and (piece := stream.read(min(_STEP, room))):
            pieces.append(piece)
            room -= len(piece)
    finally:
        _room.release()
    return b"".join(pieces)


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(
        413,
        f"the body is larger than {most_bytes} bytes; set max_alerts in Alertmanager's webhook_config, "
        "or raise body_max in the settings",
        field="body",
    )
