"""Being asked to stop, in a way that a signal handler may say at any moment."""

from __future__ import annotations

import time

_LOOK_EVERY_S = 0.1


class Stopping:
    """A flag that is set once.

    Unlike `threading.Event` it takes no lock: a handler that runs while the same thread is inside `Event.wait`
    would wait for itself.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask to stop."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether anybody asked."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Wait until asked to stop, at most so long; true when asked."""
        deadline = time.monotonic() + seconds
        while not self._asked and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_EVERY_S))
        return self._asked
