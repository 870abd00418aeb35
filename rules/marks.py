"""What is thought of a release: unknown, known-good, suspect or known-bad, and by whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """What a release is taken for."""

    UNKNOWN = "unknown"
    KNOWN_GOOD = "known-good"
    """Declared, or seen healthy, scraped and without a matched episode for long enough."""
    SUSPECT = "suspect"
    """A rollback left it and is not judged yet."""
    KNOWN_BAD = "known-bad"
    """Declared, or a rollback that left it is recovered."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A mark with its author. `by` is a person, `rollback ID` or `observer`; `at_ms` since the epoch, if known."""

    mark: Mark
    by: str = ""
    why: str = ""
    at_ms: int | None = None


UNMARKED = Marked(Mark.UNKNOWN)


def outweighs(one: Marked, other: Marked) -> bool:
    """Whether a mark counts more than another: bad outweighs suspect, which outweighs good."""
    return _WEIGHT[one.mark] > _WEIGHT[other.mark]


_WEIGHT = {Mark.UNKNOWN: 0, Mark.KNOWN_GOOD: 1, Mark.SUSPECT: 2, Mark.KNOWN_BAD: 3}
