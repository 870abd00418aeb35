"""What was seen of one run from outside the product. Everything the invariants are asked about, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

US = "us"
DEPLOYER = "deployer"


@dataclass(frozen=True, slots=True)
class Change:
    """One moment at which an instance's link became another, as the kernel told it."""

    instance: str
    at: float
    by: str
    """`US`, or `DEPLOYER`: told by the name that was renamed over the link."""
    to: str | None
    """The release that the link pointed to then; None: there was no link."""
    complete: bool
    """Whether everything of that release was there."""
    fence: int = 0
    """The fence that the host had seen then."""
    rollback: str = ""
    """Whose fence it was."""
    intended: bool | None = None
    """Whether the rollback's journal in Redis held the intent then; None: Redis could not be asked."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What stood in a host's fence file."""

    instance: str
    at: float
    fence: int


@dataclass(frozen=True, slots=True)
class Restart:
    """A line of an instance's own restart command: that it began, with what fence; or that it ended."""

    instance: str
    begins: bool
    pid: int
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """What a rule may do in an hour."""

    rule: str
    per_hour: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An alert that was answered 202."""

    fingerprint: str
    instance: str
    rules: frozenset[str]
    """The rules that match it."""


@dataclass(frozen=True, slots=True)
class Outsider:
    """An instance that no rule may touch: the identity of its link at the start and at the end."""

    instance: str
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause by a person: from when it was answered to when its end was asked for, by this machine's clock."""

    scope: str
    begun: float
    over: float


@dataclass(frozen=True, slots=True)
class History:
    """One run."""

    changes: Sequence[Change] = ()
    fences: Sequence[Fence] = ()
    restarts: Sequence[Restart] = ()
    rollbacks: Sequence[Mapping[str, Any]] = ()
    """As the API shows them at the end, each with its journal."""
    unfinished_seen: Sequence[Sequence[str]] = ()
    """The instances of unfinished rollbacks, each time that the API was asked meanwhile."""
    decisions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """By fingerprint."""
    accepted: Sequence[Accepted] = ()
    limits: Sequence[Limit] = ()
    outsiders: Sequence[Outsider] = ()
    pauses: Sequence[Pause] = ()
    releases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By instance: every release that may ever have run there, by our hand or by a deployer's."""

    def of(self, instance: str) -> list[Change]:
        """Return the releases that one instance came to, in their order."""
        return [change for change in self.changes if change.instance == instance and change.to is not None]

    @property
    def by_us(self) -> list[Change]:
        """Return what our own hand brought."""
        return [change for change in self.changes if change.by == US and change.to is not None]

    @property
    def instances(self) -> list[str]:
        """Every instance that anything was seen of."""
        return sorted({change.instance for change in self.changes} | set(self.releases))
