"""Arrivals as intervals: what two looks at the same arrival say together. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.facts import Arrival


def narrowed(told: Arrival, known: Arrival) -> Arrival:
    """Return what is known of one arrival from two looks at it: the later start and the earlier end.

    Where the two contradict each other (clocks differ), both are covered. The hand is that of the first, unless
    only the second knows it was ours.
    """
    starts = [one.after_ms for one in (told, known) if one.after_ms is not None]
    after, by = max(starts, default=None), min(told.by_ms, known.by_ms)
    if after is not None and after > by:
        after, by = by, after
    ours = told if told.who or not known.who else known
    return replace(ours, by_ms=by, after_ms=after)
