"""What keeps a rollback before its first change: a guard that holds it back, or a person who has not answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent

if TYPE_CHECKING:
    from rules.judgement import Judgement
    from rules.plans import Plan

_LOOK_EVERY_S = 60.0
"""What ends a guard's reason mostly rings; this is how often it is judged anew without."""
_SOONEST_S = 0.5


class HeldBack(NotYet):
    """A guard holds it back, and it is judged anew. `tells` where a person has to know of it.

    `campaign` is the one that it is counted in by now; its record may not know yet.
    """

    def __init__(self, judgement: Judgement, now_ms: int, campaign: str = "") -> None:
        super().__init__(judgement.reason, judgement.detail, retry_after_s=_pause_s(judgement.until_ms, now_ms))
        self.judgement = judgement
        self.tells = not judgement.wait
        self.campaign = campaign


class Asks(NotYet):
    """A person is asked about this very plan. `waits_since_ms` None: they are asked for the first time."""

    def __init__(self, judgement: Judgement, plan: Plan, approval: str) -> None:
        super().__init__(judgement.reason, judgement.detail, retry_after_s=_LOOK_EVERY_S)
        self.judgement = judgement
        self.plan = plan
        self.approval = approval

    def pause_s(self, until_ms: int, now_ms: int) -> float:
        """How long to wait before it is judged anew: at the latest when the time to answer is over."""
        return _pause_s(until_ms, now_ms)


class Expired(Permanent):
    """Nobody answered in time, or it was held back for so long that it says nothing of now."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.EXPIRED, detail)


def _pause_s(until_ms: int | None, now_ms: int) -> float:
    if until_ms is None:
        return _LOOK_EVERY_S
    return min(max((until_ms - now_ms) / 1000, _SOONEST_S), _LOOK_EVERY_S)
