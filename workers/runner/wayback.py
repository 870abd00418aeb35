"""The way back: what a plan changed is put back to where it was, once, because it failed or did not help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from controller.ledger import AskAgain, End, Rollback, State
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.plans import Plan
from workers.driver import Driver
from workers.runner.arrived import arrival_of, our_effects
from workers.runner.consequences import Consequences
from workers.runner.journal import Journal
from workers.runner.progress import Progress
from workers.runner.steps import Steps

log = structlog.get_logger(__name__)


class WayBack:
    """Takes it, under the same compare-and-set as the plan; whoever takes over goes on with it.

    There is one for each rollback: nothing leads from it but to its end, or to a hold. `steps` builds what carries
    it out until a deadline, by Redis' clock.
    """

    def __init__(
        self,
        progress: Progress,
        journal: Journal,
        reach: Callable[[], Driver],
        consequences: Consequences,
        steps: Callable[[int], Steps],
        now_ms: Callable[[], int],
        numbers: Numbers,
    ) -> None:
        self._progress = progress
        self._journal = journal
        self._reach = reach
        self._consequences = consequences
        self._steps = steps
        self._now_ms = now_ms
        self._numbers = numbers

    def begin(self, rollback: Rollback, plan: Plan, as_: End, reason: Reason, detail: str) -> Rollback:
        """Write down that it is taken, and as what the rollback ends then; returns the record as it is now."""
        begun_ms = self._now_ms()
        self._journal.note("way-back", reason=reason, detail=detail, plan=plan.digest)
        fields = {
            "way_back": plan.to_json(),
            "undone_as": str(as_),
            "reason": str(reason),
            "detail": detail,
            "changed_at": str(begun_ms),
            "attempts": "0",
        }
        self._progress.move(State.UNDOING, fields, look_again_s=self._numbers.lease_ttl_s)
        log.warning("rollback.going_back", rollback=rollback.id, reason=reason, detail=detail)
        return replace(
            rollback,
            way_back=plan.to_json(),
            undone_as=str(as_),
            reason=str(reason),
            detail=detail,
            attempts=0,
            changed_ms=begun_ms,
        )

    def carry_out(self, rollback: Rollback) -> None:
        """Take it from where the journal says it stands to the end of the rollback; raises what a step raises."""
        plan = Plan.from_json(rollback.way_back)
        since_ms = rollback.changed_ms or self._now_ms()
        self._steps(since_ms + round(self._numbers.acting_deadline_s * 1000)).carry_out(plan, "way-back")
        outcome = End(rollback.undone_as or End.FAILED)
        detail = _detail(outcome, plan, rollback.detail.rstrip("."))
        self._consequences.ended(rollback, outcome, detail)
        again: AskAgain = "joins" if outcome is End.FAILED else ""
        self._progress.end(
            outcome,
            Reason(rollback.reason or Reason.NOT_HEALTHY),
            detail,
            changed=True,
            effects=our_effects(rollback.instance, arrival_of(self._reach(), plan)),
            ask_again=again,
        )


def _detail(outcome: End, plan: Plan, why: str) -> str:
    if outcome is End.FAILED:
        return f"{why}. It was put back to {plan.to_release}."
    return f"{plan.to_release} was brought back, in place of {plan.from_release}, which did not help: {why}."
