"""An instance as the protocol sees it: it compares before it changes, and remembers the highest fence it met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["done", "stale", "changed"]
DEPLOYER = "deployer"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at an instance tells."""

    arrival: str
    release: str
    fence: int
    by: str


@dataclass(frozen=True, slots=True)
class Write:
    """One write of ours that the instance took.

    `term` counts the leases taken, which no instance knows; a switch says which arrival it was meant for, and met.
    """

    what: Literal["switch", "restart"]
    rollback: str
    fence: int
    term: int
    planned: str = ""
    met: str = ""
    brought_by: str = ""


@dataclass(slots=True)
class Target:
    """One instance. Each method is one operation under its lock; `writes` is what a witness beside it saw."""

    name: str
    release: str = "good"
    arrival: str = "a0"
    brought_by: str = DEPLOYER
    fence: int = 0
    owner: str = ""
    writes: list[Write] = field(default_factory=list)
    compares_fences: bool = True
    compares_arrivals: bool = True
    watched: Callable[[Target, Write], None] = lambda target, write: None
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    _arrivals: int = 0

    def deploy(self) -> None:
        """Bring a release that nobody has seen before, as a deployer does who knows nothing of us."""
        self._arrive(f"bad-{self._arrivals + 1}", DEPLOYER)

    def observe(self) -> Seen:
        """Look."""
        return Seen(self.arrival, self.release, self.fence, self.brought_by)

    def switch(self, *, planned: str, to: str, fence: int, rollback: str, term: int) -> Verdict:
        """Bring a release in the place of the arrival that the plan was made for."""
        self.before.pop("switch", lambda: None)()
        if self._refuses(fence, rollback):
            return "stale"
        if self.release == to and self.brought_by == rollback:
            return "done"  # ours, from before a cut
        if self.compares_arrivals and self.arrival != planned:
            return "changed"
        self._write(Write("switch", rollback, fence, term, planned, self.arrival, self.brought_by))
        self._arrive(to, rollback)
        return "done"

    def restart(self, *, fence: int, rollback: str, term: int) -> Verdict:
        """Restart: it compares nothing but the fence, and may happen twice."""
        self.before.pop("restart", lambda: None)()
        if self._refuses(fence, rollback):
            return "stale"
        self._write(Write("restart", rollback, fence, term))
        return "done"

    def _refuses(self, fence: int, rollback: str) -> bool:
        """Refuse a lower fence; an equal one is the same rollback's, or nobody's."""
        return self.compares_fences and (fence < self.fence or (fence == self.fence and rollback != self.owner))

    def _write(self, write: Write) -> None:
        self.watched(self, write)
        self.writes.append(write)
        self.fence, self.owner = max(self.fence, write.fence), write.rollback

    def _arrive(self, release: str, by: str) -> None:
        self._arrivals += 1
        self.release, self.arrival, self.brought_by = release, f"a{self._arrivals}", by
