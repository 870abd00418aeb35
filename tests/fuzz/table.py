"""What the targets came to, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = ("target", "cases", "accepted", "refused", "crashes", "cases/s")


def shown(results: Sequence[Mapping[str, Any]], seconds: float) -> str:
    """Return one line for each target, and one for all of them."""
    numbers = ("cases", "accepted", "refused")
    total = {name: sum(one[name] for one in results) for name in numbers}
    crashes = [crash for one in results for crash in one["crashes"]]
    whole = {"target": "together", **total, "crashes": crashes, "seconds": seconds}
    head = _line(_COLUMNS)
    return "\n".join([head, "-" * len(head), *map(row, results), "-" * len(head), row(whole)])


def row(one: Mapping[str, Any]) -> str:
    """Return one target's line."""
    rate = one["cases"] / one["seconds"] if one["seconds"] else 0
    counts = (one["cases"], one["accepted"], one["refused"], len(one["crashes"]), round(rate))
    return _line((one["target"], *map(str, counts)))


def _line(words: Sequence[str]) -> str:
    return f"{words[0]:<12}" + "".join(f"{word:>10}" for word in words[1:])
