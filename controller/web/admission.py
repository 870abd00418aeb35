"""How much is taken in at once: more is answered 503 before it is read, and Alertmanager sends it again.

Refusing at once is the kinder answer. A body that waits here in memory is not durable, and once its sender has
given up the work on it is lost; refused, it comes again within a second, and meanwhile the others get through.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from controller.web.bodies import announced_bytes
from controller.web.refusals import unavailable

if TYPE_CHECKING:
    from flask import Request
    from prometheus_client import Counter

PLACES: Final = 112
"""So many requests with a body are under way at once; the other threads answer health, API and refusals."""
HANDS: Final = 12
"""So many notifications are worked on at once: more would only take the interpreter from each other."""
BYTES: Final = 32 * 2**20
"""So many bytes of bodies are in memory at once. What is made of a body takes about seven times its size."""
WAITS_S: Final = 3.0
"""So long a notification that was read waits for its turn: together with the work, less than the ten seconds that
Alertmanager waits at the least."""


class Admission:
    """The room for requests with a body. One for the process; used by all its threads."""

    def __init__(
        self, refused: Counter, *, places: int = PLACES, hands: int = HANDS, most_bytes: int = BYTES
    ) -> None:
        self._refused = refused
        self._places = threading.Semaphore(places)
        self._hands = threading.Semaphore(hands)
        self._room = _Room(most_bytes)

    @contextlib.contextmanager
    def admitted(self, request: Request, most_bytes: int) -> Iterator[Callable[[int], None]]:
        """Hold a place, and room for the body, until it is answered; raises a 503 `Refusal` where there is none.

        What is yielded is for `read_body`: the room of a body that is not announced is taken piece by piece.
        """
        if not self._places.acquire(blocking=False):
            self._refuse("places", "too many notifications are being taken in at once")
        held = _Held(self._room)
        try:
            announced = announced_bytes(request, most_bytes)
            if announced is not None and not held.take(announced):
                self._refuse("bytes", "too much is being taken in at once")

            def admit(piece: int) -> None:
                if announced is None and not held.take(piece):
                    self._refuse("bytes", "too much is being taken in at once")

            yield admit
        finally:
            held.give_back()
            self._places.release()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn to be worked on; raises a 503 `Refusal` where it does not come in time."""
        if not self._hands.acquire(timeout=WAITS_S):
            self._refuse("turn", f"no turn came within {WAITS_S:g} s")
        try:
            yield
        finally:
            self._hands.release()

    def _refuse(self, want_of: str, why: str) -> None:
        self._refused.labels(want_of).inc()
        raise unavailable(f"{why}; nothing of this one was read further or recorded: send it again")


class _Room:
    """Bytes that may be held at once. Who is alone may have more: a large body is never refused for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0

    def take(self, count: int, holds: int) -> bool:
        """Take more for one that holds some already; false where others have too much."""
        with self._lock:
            others = self._taken - holds
            if others and self._taken + count > self._most:
                return False
            self._taken += count
            return True

    def give_back(self, count: int) -> None:
        with self._lock:
            self._taken -= count


class _Held:
    """What one request holds of the room."""

    def __init__(self, room: _Room) -> None:
        self._room = room
        self._holds = 0

    def take(self, count: int) -> bool:
        if not self._room.take(count, self._holds):
            return False
        self._holds += count
        return True

    def give_back(self) -> None:
        self._room.give_back(self._holds)
