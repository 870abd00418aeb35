"""Facts and times in the words of a message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rules.telling.cleaning import clean

_FACTS_MOST = 10


def facts(judgement: Mapping[str, Any]) -> Iterator[str]:
    """Say what the guards' answers rest on: each fact once, with its source and age."""
    seen: dict[str, None] = {}
    for guard in judgement.get("guards", ()):
        for fact in guard.get("facts", ()):
            seen.setdefault(_fact(fact))
    if seen:
        yield ""
        yield "Known:"
        yield from (f"- {fact}" for fact in list(seen)[:_FACTS_MOST])
    if len(seen) > _FACTS_MOST:
        yield f"- and {len(seen) - _FACTS_MOST} more"


def _fact(fact: Mapping[str, Any]) -> str:
    age_s = fact.get("age_s")
    ago = "" if age_s is None else f", {_lasting(float(age_s))} ago"
    source = clean(str(fact.get("source") or ""), 60)
    said = f" ({source}{ago})" if source else ""
    return f"{clean(str(fact.get('name', '')), 60)}: {clean(str(fact.get('value', '')), 160)}{said}"


def until(until_ms: int | None, now_ms: int) -> str:
    """Say until when, as the end of a sentence; nothing where that is not known."""
    if until_ms is None:
        return ""
    at = datetime.fromtimestamp(until_ms / 1000, UTC)
    day = "" if until_ms - now_ms < 12 * 3_600_000 else f"{at:%Y-%m-%d} "
    return f", until {day}{at:%H:%M} UTC (in {_lasting(max(0.0, (until_ms - now_ms) / 1000))})"


def _lasting(seconds: float) -> str:
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (word == "min" and seconds >= size):
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"
