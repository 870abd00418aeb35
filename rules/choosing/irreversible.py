"""The one-way doors of a service: releases after which nothing older, or nothing older than a named one, may run.

A door counts if it was passed, that is if it is the running release or older. Where nothing tells whether a door
on the target was passed, or on which side of a door a release lies, it counts against the release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.choosing.history import named
from rules.decisions import Reason

if TYPE_CHECKING:
    from rules.catalogue import Catalogue
    from rules.choosing.history import Entry, History
    from rules.observations import Drop


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors of one history that were passed, or may have been."""

    history: History
    catalogue: Catalogue
    passed: tuple[Entry, ...]

    @classmethod
    def of(cls, history: History, catalogue: Catalogue) -> Doors:
        """Find them."""
        doors = (one for one in history.everything() if _is_door(one))
        return cls(history, catalogue, tuple(door for door in doors if _was_passed(door, history)))

    def why_barred(self, candidate: Entry) -> Drop | None:
        """Say which door stands between what runs and a candidate."""
        for door in self.passed:
            if not candidate.is_same_as(door) and (detail := self._barred_by(door, candidate)):
                return Reason.BEHIND_IRREVERSIBLE, f"{detail}; roll forward, or override `irreversible` by name"
        return None

    def _barred_by(self, door: Entry, candidate: Entry) -> str:
        older = self.history.is_older(candidate, door)
        if older is False:
            return ""
        how = "is older than" if older else "may be older than"
        limit = door.manifest.cannot_go_back_past if door.manifest else ""
        if not limit or (door.manifest and door.manifest.irreversible):
            return f"{candidate.name} {how} {door.name}, which is irreversible"
        oldest = self._oldest_allowed(limit)
        if candidate.is_called(limit) or any(candidate.is_same_as(one) for one in oldest):
            return ""
        sides = [self.history.is_older(candidate, one) for one in oldest]
        if sides and not any(side is not False for side in sides):
            return ""
        where = "" if True in sides else f" (where {limit} stands among the releases is not known)"
        return f"{candidate.name} {how} {door.name}, after which nothing older than {limit} may run{where}"

    def _oldest_allowed(self, limit: str) -> tuple[Entry, ...]:
        found = self.history.called(limit)
        if found:
            return found[:1]
        registered = named(limit, self.catalogue)
        return () if registered.built_ms is None else (registered,)


def _is_door(one: Entry) -> bool:
    return one.manifest is not None and (one.manifest.irreversible or bool(one.manifest.cannot_go_back_past))


def _was_passed(door: Entry, history: History) -> bool:
    """Whether what runs is the door, or came after it.

    A registered release that the target does not have may never have been here: it counts only if it was built
    before what runs, which then has in it whatever cannot be taken back.
    """
    running = history.running
    if running is None:
        return door.rank is not None
    if door.is_same_as(running):
        return True
    older = history.is_older(running, door)
    return older is False or (older is None and door.rank is not None)
