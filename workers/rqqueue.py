"""RQ's queue and maintenance, for a Redis into which a stranger may have written anything.

RQ's worker quits on whatever it does not expect, and looks at the same thing again when it is started anew.
Nothing of ours rests on what RQ keeps beside the queue, and a bell that is dropped is rung again: so what cannot
be read is dropped.
"""

from __future__ import annotations

import zlib
from typing import Any

import structlog
from rq import Queue
from rq.intermediate_queue import IntermediateQueue
from rq.registry import DeferredJobRegistry, FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry

log = structlog.get_logger(__name__)

_MOST_BYTES = 4096
"""A bell carries one id of at most 64 characters."""

UNREADABLE = b"not-an-id-of-ours"


class DoorbellQueue(Queue):
    """A queue in which an id that is no text stands for no job."""

    @classmethod
    def lmove(cls, connection: Any, queue_key: str, timeout: int | None) -> Any:
        """Take the next id; one that is no text is taken out for good."""
        result = super().lmove(connection, queue_key, timeout)
        if result is None or _is_text(result[1]):
            return result
        log.warning("job.dropped", because="its id in the queue is no text", id=repr(result[1][:64]))
        connection.lrem(IntermediateQueue(queue_key, connection).key, 0, result[1])
        return result[0], UNREADABLE


def _is_text(ident: bytes) -> bool:
    try:
        ident.decode()
    except UnicodeDecodeError:
        return False
    return True


def without_bombs(data: bytes) -> bytes:
    """Return a job's data, unpacked; empty where it is more than any bell of ours holds."""
    if len(data) > _MOST_BYTES:
        return b""
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(data, _MOST_BYTES)
    except zlib.error:
        return data
    return b"" if unpacking.unconsumed_tail else plain


def empty_registries(queue: Queue) -> None:
    """Forget what RQ keeps beside a queue; raises Redis' errors, a wrong type of a key not among them."""
    kinds = (StartedJobRegistry, FailedJobRegistry, FinishedJobRegistry, DeferredJobRegistry)
    keys = [kind(queue=queue).key for kind in kinds]
    queue.connection.delete(IntermediateQueue(queue.key, queue.connection).key, *keys)
