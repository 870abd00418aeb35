"""Times as a person reads them: how long ago, and how far apart."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def parse(text: str) -> datetime:
    """Read a time of the API, ISO 8601."""
    return datetime.fromisoformat(text)


def ago(text: str | None, now: datetime) -> str:
    """Say how long ago a time of the API is, like `4 min ago`; a dash where there is none."""
    if not text:
        return "-"
    return f"{span((now - parse(text)).total_seconds())} ago"


def span(seconds: float) -> str:
    """Say a length of time with its two largest units, like `1 h 5 min`."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        if left >= size or (unit == "s" and not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
        elif parts:
            break
    return " ".join(parts[:2])


def offset(seconds: float) -> str:
    """Say how long after a beginning something was, to the millisecond while that tells anything."""
    if seconds < 60:
        return f"+{seconds:.3f} s"
    return f"+{span(seconds)}"


def stamp(text: str | None) -> str:
    """Write a time of the API for people: UTC, to the second."""
    return "-" if not text else parse(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def now() -> datetime:
    """Return the present."""
    return datetime.now(UTC)
