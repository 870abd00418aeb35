"""What the past rollbacks of a facts file did to an instance, where its entry does not say so itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.facts import Arrival, Fact, Hand, InstanceFacts, LastChange

if TYPE_CHECKING:
    from rules.reading.recordfacts import PastRollback

EARLIER = "earlier"
"""The id of a rollback that the file gives none."""
_TAKES_MS = 15 * 60_000
"""What comes so soon after a rollback began may have come by it."""


def after_rollback(
    one: InstanceFacts, past: PastRollback, change: LastChange, *, hand_is_told: bool
) -> InstanceFacts:
    """Return an instance as a rollback left it: when it changed, what it left, by whose hand what runs came."""
    newest = one.last_change is None or one.last_change.value.at_ms < change.at_ms
    one = replace(one, last_change=Fact(change, "facts file") if newest else one.last_change)
    if past.release is None:
        return one
    left = one.left | {past.release}
    if one.running is None or one.arrival is None:
        return replace(one, left=left)
    if past.release not in one.running.value:
        ours = not hand_is_told and _came_by(past, one, one.arrival.value, change.at_ms)
        return replace(one, left=left, arrival=_by_us(one.arrival) if ours else one.arrival)
    if one.arrival.value.by_ms > change.at_ms:
        return replace(one, left=left)  # it came again
    return replace(one, left=left, made_by=one.made_by or EARLIER)


def _came_by(past: PastRollback, one: InstanceFacts, came: Arrival, began_ms: int) -> bool:
    """Tell whether what runs was brought by a rollback: it came right after, and is where that went, or older."""
    if came.hand is not Hand.DEPLOY or not began_ms <= came.by_ms <= began_ms + _TAKES_MS:
        return False
    names = one.running.value if one.running is not None else ()
    if past.to is not None:
        return past.to in names
    order = [release.name for release in one.observation.releases] if one.observation is not None else []
    running = next((name for name in names if name in order), None)
    if running is None or past.release not in order:
        return True
    return order.index(running) < order.index(past.release)


def _by_us(arrival: Fact[Arrival]) -> Fact[Arrival]:
    return replace(arrival, value=replace(arrival.value, hand=Hand.ROLLBACK, who=EARLIER))
