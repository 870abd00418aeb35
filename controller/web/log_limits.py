"""Log lines about refused requests, bounded: a body that is refused comes back every few minutes for ever."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0
_MOST_KEYS: Final = 1024


class LogLimit:
    """Lets one line through per key and interval, and says how many it held back before that one."""

    def __init__(self, every_s: float = EVERY_S, now: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._now = now
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def held_back(self, *key: str) -> int | None:
        """Return how many lines were held back since the last one; None if this one is to be held back too.

        `key` must not carry text of the sender's choosing, or the sender chooses how much is logged.
        """
        now = self._now()
        with self._lock:
            last, held = self._seen.get(key, (None, 0))
            if last is not None and now - last < self._every_s:
                self._seen[key] = (last, held + 1)
                return None
            self._seen[key] = (now, 0)
            self._seen.move_to_end(key)
            if len(self._seen) > _MOST_KEYS:
                self._seen.popitem(last=False)
            return held
