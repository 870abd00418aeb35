"""What a driver saw of one instance: the facts that choice and plan rest on, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReleaseSeen:
    """One release that is present on the target.

    `order` sorts releases from oldest to newest; only comparisons within one observation mean anything.
    """

    name: str
    order: tuple[int | str, ...]
    complete: bool = True
    executable: bool = True
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """One instance as it was at one moment.

    `running` is the name of the release the instance is switched to, None where the target has none.
    `arrival` pins the arrival of that release (hosts: link target, inode and mtime; never a creation time).
    `fence` is the highest fence the target has seen. `details` are the driver's own facts, JSON-able,
    kept as evidence and shown to people; the core never reads them.
    """

    running: str | None
    arrival: str
    fence: int
    releases: tuple[ReleaseSeen, ...] = ()
    last_stable: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
