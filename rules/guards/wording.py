"""How guards speak of times and lists: short, and the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rules.durations import write_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_LISTED = 5


def clock(at_ms: int) -> str:
    """Write a moment, in UTC. Any number is written: hostile times are facts as well."""
    try:
        return f"{_EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return f"{at_ms} ms since 1970"


def span(milliseconds: float) -> str:
    """Write how long something is, to the second where that says enough."""
    seconds = abs(milliseconds) / 1000
    return write_duration(seconds if seconds < 1 else round(seconds))


def share(part: float) -> str:
    """Write a share of 1 as a percentage."""
    return f"{part * 100:g}%"


def listed(words: Iterable[str]) -> str:
    """Name a few, and count the rest."""
    names = list(words)
    rest = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def ends(until_ms: int | None) -> str:
    """Say until when something holds."""
    return "until a person ends it" if until_ms is None else f"until {clock(until_ms)}"
