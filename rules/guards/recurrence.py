"""When something recurs by the clock on the wall: RFC 5545's RRULE, read strictly and asked within bounds.

`dateutil` walks from a rule's first day to the day that is asked about, or to the year 9999 if nothing comes. So
a rule that is asked is first moved near that day by whole intervals, and one that never opens is found out once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from dateutil.rrule import rrulestr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_PARTS = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY"}
    | {"BYWEEKNO", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"}
)
_EXAMPLE = "write something like FREQ=WEEKLY;BYDAY=FR;BYHOUR=22;BYMINUTE=0"
_LONGEST, _MOST_A_DAY, _MOST_COUNTED, _WIDEST = 500, 24, 1000, 1000
_ANCHOR = datetime(2000, 1, 3)  # noqa: DTZ001  a wall-clock time has no zone; a Monday
_STAMP = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d))?)?(Z?)")
_CYCLE_YEARS = 400
_TIME = "write it like 2026-12-20T18:00"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence by the clock on the wall. `rule` names every part that follows from `start`."""

    rule: str
    start: datetime
    until: datetime | None = None
    count: int | None = None
    interval: int = 1
    frequency: str = "DAILY"
    a_day: int = 1
    """How often it begins on one day, at most."""

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yield what begins within two times, in order."""
        last = last if self.until is None else min(last, self.until)
        if last < self.start or last < first:
            return
        anchor = self.start if self.count is not None else self._near(first)
        for begins in rrulestr(self.rule, dtstart=anchor):
            if begins > last:
                return
            if begins >= first and begins >= self.start:
                yield begins

    def check(self) -> None:
        """Raise ValueError if nothing ever begins.

        The calendar repeats itself every 400 years: sought in the last of them, `nothing` is soon found.
        """
        cycles = (MAXYEAR - self.start.year) // _CYCLE_YEARS * _CYCLE_YEARS
        moved = self.start.replace(year=self.start.year + cycles)
        until = None
        if self.until is not None and self.until.year + cycles <= MAXYEAR:
            until = self.until.replace(year=self.until.year + cycles)
        found = next(iter(rrulestr(self.rule, dtstart=moved)), None)
        if found is None or (until is not None and found > until):
            raise ValueError(
                "this window never opens: no day fits its `rrule` from `start` on; see its BY parts and UNTIL"
            )

    def _near(self, wanted: datetime) -> datetime:
        """Return a first day that is shortly before `wanted`, whole intervals after `start`."""
        if wanted <= self.start:
            return self.start
        step = self.interval
        match self.frequency:
            case "DAILY":
                gone = (wanted - self.start).days // step
                return self.start + timedelta(days=max(0, gone - 1) * step)
            case "WEEKLY":
                gone = (wanted - self.start).days // (7 * step)
                return self.start + timedelta(days=max(0, gone - 1) * 7 * step)
            case "MONTHLY":
                gone = ((wanted.year - self.start.year) * 12 + wanted.month - self.start.month) // step
                months = self.start.month - 1 + max(0, gone - 1) * step
                return self.start.replace(year=self.start.year + months // 12, month=months % 12 + 1, day=1)
            case _:
                gone = (wanted.year - self.start.year) // step
                return self.start.replace(year=self.start.year + max(0, gone - 1) * step, month=1, day=1)


def weekly(days: Sequence[str], from_: str, to: str) -> tuple[Recurrence, float]:
    """Read `days`, `from` and `to`; an end that is not after the beginning is on the next day."""
    begins, ends = _time_of_day("from", from_), _time_of_day("to", to, last=True)
    chosen = [_day(day) for day in days] or list(_DAYS)
    at = int(begins.total_seconds()) // 60
    rule = f"FREQ=WEEKLY;BYDAY={','.join(dict.fromkeys(day.upper() for day in chosen))}"
    rule += f";BYHOUR={at // 60};BYMINUTE={at % 60};BYSECOND=0"
    if begins == ends:
        raise ValueError(f"a window from {from_} to {to} has no length; for whole days write from 00:00 to 24:00")
    lasts = ends - begins if ends > begins else ends - begins + timedelta(days=1)
    return Recurrence(rule, _ANCHOR, frequency="WEEKLY"), lasts.total_seconds()


def read_recurrence(text: str, start: str, zone: ZoneInfo) -> Recurrence:
    """Read an RRULE, strictly; raises ValueError."""
    if len(text) > _LONGEST:
        raise ValueError(f"an `rrule` of {len(text)} characters is too long; {_EXAMPLE}")
    body, start = _without_start(text, start)
    parts = _parts(body)
    first = _ANCHOR if not start else _stamp("start", start, zone)
    count = _number(parts, "COUNT", _MOST_COUNTED)
    interval = _number(parts, "INTERVAL", _WIDEST) or 1
    if not start and (interval > 1 or count is not None):
        raise ValueError("an `rrule` with COUNT or INTERVAL needs a `start`, like 2026-12-20T18:00, to count from")
    until = _stamp("UNTIL", parts.pop("UNTIL"), zone, end=True) if "UNTIL" in parts else None
    if not start and "BYHOUR" not in parts:
        raise ValueError(
            "without a `start` nobody knows at what time the window opens; add BYHOUR=22, or a `start`"
        )
    whole = {**parts, **_implied(parts, first, said=bool(start))}
    a_day = _times_a_day(whole)
    rule = ";".join(f"{name}={value}" for name, value in whole.items())
    try:
        rrulestr(rule, dtstart=first)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"{text!r} is no RRULE ({error}); {_EXAMPLE}") from error
    return Recurrence(rule, first, until, count, interval, parts["FREQ"], a_day)


def _without_start(text: str, start: str) -> tuple[str, str]:
    """Take `DTSTART:…` and the word `RRULE:` off, as calendars write them."""
    lines = text.strip().upper().splitlines()
    for line in lines[:-1]:
        if not line.startswith("DTSTART:"):
            raise ValueError(f"{line!r} cannot stand before an RRULE; write one rule, and its zone as `timezone`")
        if start:
            raise ValueError("there are two starts; write DTSTART in the `rrule`, or `start`")
        start = line.removeprefix("DTSTART:")
    return lines[-1].removeprefix("RRULE:") if lines else "", start


def _parts(body: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for piece in body.strip().rstrip(";").split(";"):
        name, equals, value = (word.strip() for word in piece.partition("="))
        if not equals or not value or name not in _PARTS:
            raise ValueError(f"{piece!r} is no part of an RRULE; {_EXAMPLE}")
        if name in parts:
            raise ValueError(f"{name} is there twice; keep one")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(
            f"a window recurs {', '.join(_FREQUENCIES)}, and not {parts.get('FREQ') or '(nothing)'}; {_EXAMPLE}"
        )
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other; keep one")
    return parts


def _implied(parts: Mapping[str, str], first: datetime, *, said: bool) -> dict[str, str]:
    """Return what the first day says of all others, as RFC 5545 has it: so the rule can be asked from any day."""
    out = {"BYHOUR": str(first.hour), "BYMINUTE": str(first.minute), "BYSECOND": str(first.second)}
    chosen = parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}
    if not chosen:
        frequency = parts["FREQ"]
        if not said and frequency != "DAILY":
            raise ValueError(f"FREQ={frequency} does not say on which day; add BYDAY or BYMONTHDAY, or a `start`")
        if frequency == "WEEKLY":
            out["BYDAY"] = _DAYS[first.weekday()].upper()
        if frequency in ("MONTHLY", "YEARLY"):
            out["BYMONTHDAY"] = str(first.day)
        if frequency == "YEARLY" and "BYMONTH" not in parts:
            out["BYMONTH"] = str(first.month)
    return {name: value for name, value in out.items() if name not in parts}


def _times_a_day(parts: Mapping[str, str]) -> int:
    starts = 1
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        starts *= len(set(parts[name].split(",")))
    if starts > _MOST_A_DAY:
        raise ValueError(
            f"a window that opens {starts} times a day is none; write at most {_MOST_A_DAY}, and a `duration`"
        )
    return starts


def _number(parts: dict[str, str], name: str, most: int) -> int | None:
    if name not in parts:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", parts[name]) or not 1 <= int(parts[name]) <= most:
        raise ValueError(f"{name}={parts[name]}: write a number from 1 to {most}")
    return int(parts[name])


def _stamp(name: str, text: str, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """Read a time by the clock on the wall; one with a Z is put on it. A day alone is its beginning or its end."""
    found = _STAMP.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError(f"{name} {text!r} is no time; {_TIME}")
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        read = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  it is the wall's
        if end and found[4] is None:
            read = datetime.combine(read, time.max)
        return read.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if found[7] else read
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} {text!r} is on no calendar; {_TIME}") from error


def _time_of_day(name: str, text: str, *, last: bool = False) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    minutes = int(found[1]) * 60 + int(found[2]) if found and int(found[2]) < 60 else -1
    if not 0 <= minutes <= (1440 if last else 1439):
        raise ValueError(f"`{name}` is {text!r}: write a time of day like 22:00")
    return timedelta(minutes=minutes)


def _day(word: str) -> str:
    short = word.strip().lower()[:2]
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    if len(word.strip()) < 2 or not any(name.startswith(word.strip().lower()) for name in names):
        raise ValueError(f"{word!r} is no day of the week; write mon, tue, wed, thu, fri, sat or sun")
    return short
