"""Durations as Prometheus writes them: `1h30m`, `10s`, `500ms`, `0`."""

from __future__ import annotations

import re
from types import MappingProxyType

_SECONDS = MappingProxyType(
    {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
)
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _SECONDS))
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]+)[\s,]*")
_WORDS = MappingProxyType(
    {
        **{unit: unit for unit in _SECONDS},
        **dict.fromkeys(("yr", "year"), "y"),
        **dict.fromkeys(("week", "wk"), "w"),
        **dict.fromkeys(("day",), "d"),
        **dict.fromkeys(("hr", "hour"), "h"),
        **dict.fromkeys(("min", "minute"), "m"),
        **dict.fromkeys(("sec", "second"), "s"),
        **dict.fromkeys(("msec", "millisecond", "milli"), "ms"),
    }
)
_LONGEST_S = 2**63 / 1e9
"""Prometheus counts nanoseconds in 64 bits; longer is an error there, and no duration of ours needs it."""
_MOST_DIGITS = 19
"""Of one count. More are too long in any unit, and Python reads no number of thousands of digits."""


class DurationError(ValueError):
    """This text is no duration; the message says how to write what was probably meant."""


def parse_duration(text: str) -> float:
    """Return the seconds of a Prometheus duration: whole numbers with y, w, d, h, m, s, ms, largest first."""
    if text == "0":
        return 0.0
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise DurationError(f"{text!r} is not a duration: {_hint(text)}")
    digits = [(count or "").lstrip("0") for count in found.groups()]
    if max(map(len, digits)) > _MOST_DIGITS:
        raise DurationError(f"{text[:40]!r}… is longer than 292 years: write a shorter duration")
    seconds = sum(int(count) * unit for count, unit in zip(digits, _SECONDS.values(), strict=True) if count)
    if seconds >= _LONGEST_S:
        raise DurationError(f"{text[:40]!r} is longer than 292 years: write a shorter duration")
    return float(seconds)


def _hint(text: str) -> str:
    wanted = "write whole numbers with units, largest first, like 1h30m, 10s or 500ms"
    bare = text.strip()
    if re.fullmatch(r"[0-9]+", bare):
        return f"its unit is missing; write {bare}s for seconds or {bare}m for minutes"
    if bare.startswith("-"):
        return f"it cannot be negative; {wanted}"
    seconds = _lenient(bare)
    return wanted if seconds is None else f"write {write_duration(seconds)} ({wanted.removeprefix('write ')})"


def _lenient(text: str) -> float | None:
    """Guess what a person meant by `30 minutes`, `1.5h`, `5M` or `30m1h`."""
    seconds, at = 0.0, 0
    while found := _PIECE.match(text, at):
        word = found[2].lower()
        unit = _WORDS.get(word) or _WORDS.get(word.removesuffix("s"))
        if unit is None:
            return None
        seconds += float(found[1]) * _SECONDS[unit]
        at = found.end()
    return seconds if at == len(text) and 0 < seconds < _LONGEST_S else None


def write_duration(seconds: float) -> str:
    """Return the text that `parse_duration` reads as these seconds, to the millisecond."""
    rest, out = round(seconds * 1000), ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, round(_SECONDS[unit] * 1000))
        out += f"{count}{unit}" if count else ""
    return out or "0s"
