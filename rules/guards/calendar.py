"""Freeze windows: a recurrence by the wall clock of a time zone, and how long it lasts by that same clock.

Where clocks change, a window follows the clock on the wall: a beginning that is skipped is the moment of the
change, an end that comes twice is the second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.durations import write_duration
from rules.guards.recurrence import Recurrence, read_recurrence, weekly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Then = Literal["ask", "hold"]

_DAY_S = 86_400
_LONGEST_S = 366 * _DAY_S
_FURTHEST = timedelta(days=366)
"""A window that never closes is said to be open until then."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """One freeze window. `text` is what it says, for people."""

    name: str
    then: Then
    timezone: str
    duration_s: float
    recurrence: Recurrence
    text: str = ""

    def open_until(self, now_ms: int) -> int | None:
        """Return when it closes, if it is open now. Windows that touch are one."""
        zone = _zone(self.timezone)
        try:
            now = _EPOCH + timedelta(milliseconds=now_ms)
            wall = now.astimezone(zone).replace(tzinfo=None)
            lasts = timedelta(seconds=self.duration_s)
            first = wall - lasts - timedelta(days=2)
            spans = self._spans(first, wall + timedelta(days=2), zone)
            until = _reach(spans, now)
            if until is None:
                return None
            return _ms(self._on_from(until, now, zone))
        except OverflowError:
            return None

    def _on_from(self, until: datetime, now: datetime, zone: ZoneInfo) -> datetime:
        """Follow windows that touch, up to a year."""
        limit = now + _FURTHEST
        while until < limit:
            wall = until.astimezone(zone).replace(tzinfo=None)
            first = wall - timedelta(seconds=self.duration_s) - timedelta(days=2)
            later = _reach(self._spans(first, wall + timedelta(days=32), zone), until)
            if later is None or later <= until:
                return until
            until = later
        return limit

    def _spans(self, first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        for begins in self.recurrence.between(first, last):
            ends = begins + timedelta(seconds=self.duration_s)
            opens, closes = _instant(begins, zone, second=False), _instant(ends, zone, second=True)
            if closes <= opens:  # all of it is skipped; it is not lost
                closes = opens + timedelta(seconds=self.duration_s)
            yield opens, closes


def _reach(spans: Iterator[tuple[datetime, datetime]], at: datetime) -> datetime | None:
    """Return how far the spans reach without a gap, from one that is open at `at`."""
    until: datetime | None = None
    for opens, closes in spans:
        if opens <= (until or at) and closes > (until or at):
            until = closes
    return until


def window(  # noqa: PLR0913  one for each key of a window
    name: str,
    *,
    timezone: str,
    rrule: str = "",
    start: str = "",
    duration_s: float | None = None,
    days: Sequence[str] = (),
    from_: str = "",
    to: str = "",
    then: str = "ask",
) -> Window:
    """Read a freeze window; raises ValueError with a sentence that says what to write.

    Either `rrule` (RFC 5545, with `start` like 2026-12-20T18:00 where it needs one) and `duration_s`, or
    `from_` and `to` like 22:00 and 06:00, on `days` like sat and sun (none: every day).
    """
    if then not in ("ask", "hold"):
        raise ValueError(f"`then` is {then!r}: write ask, or hold")
    zone = _zone(timezone)
    if rrule and (days or from_ or to):
        raise ValueError("`rrule` and `from`, `to`, `days` exclude each other; write one or the other")
    if rrule:
        if duration_s is None:
            raise ValueError(
                "a window with an `rrule` needs a `duration` like 8h; without it nobody knows its end"
            )
        recurrence, text = read_recurrence(rrule, start, zone), f"{rrule}, for {write_duration(duration_s)}"
    else:
        if start or duration_s is not None:
            raise ValueError("`start` and `duration` belong to an `rrule`; write `from` and `to`, or an `rrule`")
        recurrence, duration_s = weekly(days, from_, to)
        text = f"{', '.join(days) or 'every day'} from {from_} to {to}"
    if not 0 < duration_s <= _LONGEST_S:
        raise ValueError(
            f"a window that lasts {duration_s:g} s is no window; write a duration of up to 366d, like 8h"
        )
    if recurrence.a_day > 1 and duration_s >= _DAY_S:
        raise ValueError("it opens more than once a day and lasts longer than that; keep one of its times")
    recurrence.check()
    return Window(
        name, "hold" if then == "hold" else "ask", timezone, duration_s, recurrence, f"{text}, {timezone}"
    )


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "write a name of the tz database, like Europe/Berlin, America/New_York or UTC"
        raise ValueError(f"{name!r} is no time zone: {hint}") from error


def _instant(wall: datetime, zone: ZoneInfo, *, second: bool) -> datetime:
    """Return when clocks in a zone show a time: of two moments the asked one, of none the change that skips it."""
    earlier, later = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if later < earlier:
        return _change(later, earlier, zone)
    return later if second else earlier


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Find the moment between two at which clocks are changed, to the second."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
