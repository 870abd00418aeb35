"""What a worker does for one bell, call by call: it stops before each one, and may never come to it.

Each stretch is a generator that yields calls: one script, or one operation on the target. Whoever runs it chooses
how a call comes out, and when, so between any two of them anything may happen. A worker here always believes in
its lease: the real one gives up by its own clock, which only helps it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.ledger import Hold, LeaseLost, LedgerUnavailable, MovedOn
from model.redis_side import Halt
from model.site import Call, Calls, Luck, Site
from model.stretch import Stretch


@dataclass(slots=True)
class Worker:
    """One process. Killed, it forgets everything; stopped, it goes on where it was, however late."""

    name: str
    site: Site
    luck: Luck = Luck.GOOD
    lease: Hold | None = None
    _calls: Calls | None = None
    _next: Call | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a bell."""
        return self._calls is None

    def hears(self, ident: str) -> None:
        """Begin what a bell asks for, up to before the first call."""
        stretch = Stretch(self, ident)
        self._calls = stretch.notification() if ident.startswith("n") else stretch.rollback()
        self._go(next)

    def goes(self, *, luck: Luck = Luck.GOOD, reply: str = "comes") -> bool:
        """Make the call it stands before; False where it was kept from it.

        The reply may come, come to the second try, or be lost for good.
        """
        if self._calls is None or self._next is None:
            return True
        self.luck = luck
        call = self._next
        error: Exception | None = None
        try:
            if reply == "comes late":
                with self.site.redis.repeating():
                    answer = call()
            else:
                answer = call()
        except Halt:
            return False
        except (LeaseLost, MovedOn) as e:
            answer, error = None, e
        if reply == "is lost":
            error = LedgerUnavailable("the reply is lost")
        if error is None:
            self._go(lambda calls: calls.send(answer))
        else:
            self._go(lambda calls: calls.throw(error))
        return True

    def dies(self) -> None:
        """End at once, wherever it is."""
        self._calls, self._next, self.lease = None, None, None

    def _go(self, onward: Callable[[Calls], Call]) -> None:
        assert self._calls is not None
        try:
            self._next = onward(self._calls)
        except (StopIteration, LeaseLost, MovedOn, LedgerUnavailable):
            self.dies()
