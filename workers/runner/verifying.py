"""Whether it helped: judged by what the ledger heard, once the instance is healthy on the other release.

A healthy instance is not enough, and silence proves nothing: *recovered* needs every alert behind the rollback
to be resolved, *ineffective* needs one heard firing well after the change, anything else is inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.ledger import End, Episode
from rules.decisions import Reason

_DRAINS_MS = 60_000
"""An alert heard within this time of the change may still speak of the time before it.

Where a rule says that its alerts are gone sooner, half of what it says: else it could never be shown to be wrong.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rollback ended, and why."""

    outcome: End
    reason: Reason
    detail: str


def judge(episodes: Sequence[Episode], *, changed_ms: int, now_ms: int, cleared_within_s: float) -> Verdict | None:
    """Return the outcome, or None while it is too early to say. Times are by Redis' clock."""
    if not episodes:
        return Verdict(End.RECOVERED, Reason.HEALTHY, "healthy and steady; no alert was behind this rollback")
    firing = [e for e in episodes if e.open]
    if not firing:
        return Verdict(End.RECOVERED, Reason.CLEARED, "healthy and steady, and every alert behind it resolved")
    if now_ms - changed_ms < cleared_within_s * 1000:
        return None
    drained_ms = changed_ms + min(_DRAINS_MS, cleared_within_s * 500)
    if any(e.heard_ms > drained_ms for e in firing):
        return Verdict(
            End.INEFFECTIVE,
            Reason.STILL_FIRING,
            "the alert was heard firing again after the change: the release was not the cause, or not alone",
        )
    return Verdict(
        End.INCONCLUSIVE,
        Reason.NOT_HEARD,
        f"no resolve was heard within {cleared_within_s:g} s of the change, and no firing either. "
        "Look at the alert itself, and that the receiver has send_resolved: true.",
    )
