"""The loop-breaker: where going back went wrong too often, rules leave a service alone until a person looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict
from rules.guards.wording import clock

if TYPE_CHECKING:
    from rules.facts import Case

BREAKER = "loop-breaker"


def loop_breaker(case: Case) -> Answer | None:
    """Hold every rule for a service whose rollbacks did not help, or failed, again and again."""
    found = case.book.breakers.get(case.service.name)
    if found is None:
        return None
    detail = (
        f"rules leave {case.service.name} alone since {clock(found.at_ms)}: {found.why}; find out what is wrong, "
        f"then `rollbackctl resume --service {case.service.name}`; by hand it can be rolled back all the same"
    )
    said = ", ".join(found.rollbacks) or "open"
    fact = UsedFact("loop-breaker", said, "ledger", max(0.0, (case.now_ms - found.at_ms) / 1000))
    return Answer(BREAKER, Verdict.HOLD, Reason.LOOP_BREAKER, detail, (fact,))
