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
