"""Remembers what a body led to, so that a repeated notification costs a hash and one round trip.

What is remembered is a pure function of the body's bytes and the rules in force: with other rules everything
is forgotten. Memory is bounded by an estimate in bytes; what was not used for longest goes first.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

T = TypeVar("T")

BOUND_BYTES: Final = 32 * 2**20
_SHARE_OF_ONE: Final = 4


class Memo(Generic[T]):
    """A thread-safe, bounded map from (body, rules) to what was prepared from them."""

    def __init__(self, bound_bytes: int = BOUND_BYTES) -> None:
        self._bound = bound_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[int, T]] = OrderedDict()
        self._bytes = 0
        self._rules: object = None

    @staticmethod
    def key(body: bytes) -> bytes:
        """Identify a body; collisions must be out of reach of whoever writes it, hence SHA-256."""
        return hashlib.sha256(body).digest()

    def get(self, key: bytes, rules: object) -> T | None:
        """Return what was prepared from this body under these very rules."""
        with self._lock:
            if rules is not self._rules:
                return None
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, key: bytes, rules: object, prepared: T, cost_bytes: int) -> None:
        """Remember `prepared`, which takes about `cost_bytes`; one body never takes most of the room."""
        if cost_bytes > self._bound // _SHARE_OF_ONE:
            return
        with self._lock:
            if rules is not self._rules:
                self._rules = rules
                self._kept.clear()
                self._bytes = 0
            self._forget(key)
            self._kept[key] = (cost_bytes, prepared)
            self._bytes += cost_bytes
            while self._bytes > self._bound:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        cost_bytes, _ = self._kept.pop(key, (0, None))
        self._bytes -= cost_bytes
