"""Carrying out a plan: each step journaled before and after, observed first where somebody else began it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from controller.ledger import Ledger
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.errors import NotYet, Permanent, Transient
from rules.plans import Plan, Step, StepKind, StepState
from workers.driver import Driver, Seen
from workers.runner.journal import Journal
from workers.runner.lease import Lease
from workers.runner.trust import Phase

_TRIES_IN_PLACE = 3


def is_drained(plan: Plan, journal: Journal) -> bool:
    """Whether a drain of the plan was begun, and not taken back."""
    kinds = [step.kind for step in plan.steps]
    if StepKind.DRAIN not in kinds or StepKind.UNDRAIN not in kinds:
        return False
    begun = journal.intended("plan", kinds.index(StepKind.DRAIN)) is not None
    return begun and not journal.is_done("plan", kinds.index(StepKind.UNDRAIN))


class Steps:
    """Takes a plan from where the journal says it stands to its end.

    `deadline_ms` is when acting must be over, by Redis' clock; past it only a person moves the rollback on.
    """

    def __init__(
        self,
        driver: Driver,
        journal: Journal,
        lease: Lease,
        ledger: Ledger,
        numbers: Numbers,
        *,
        now_ms: Callable[[], int],
        deadline_ms: int,
    ) -> None:
        self._driver = driver
        self._journal = journal
        self._lease = lease
        self._ledger = ledger
        self._numbers = numbers
        self._now_ms = now_ms
        self._deadline_ms = deadline_ms

    def carry_out(self, plan: Plan, phase: Phase) -> None:
        """Do every step that is not done; raises what a step raises, `LeaseLost`, `Stopping`."""
        for index, step in enumerate(plan.steps):
            if not self._journal.is_done(phase, index):
                self._one(phase, index, step)

    def into_rotation_again(self, plan: Plan) -> None:
        """Undo a drain whose plan goes no further; does nothing where nothing was drained."""
        for index, step in enumerate(plan.steps):
            if step.kind is StepKind.UNDRAIN and is_drained(plan, self._journal):
                self._one("plan", index, step)

    def _one(self, phase: Phase, index: int, step: Step) -> None:
        self._lease.check_step()
        if self._now_ms() > self._deadline_ms:
            raise Permanent(
                Reason.DEADLINE,
                f"acting took longer than {self._numbers.acting_deadline_s:g} s and stopped before: {step.does}. "
                "Look at the target, then cancel this rollback or finish it by hand.",
            )
        before = self._journal.intended(phase, index)
        if before is None:
            before = self._driver.before(step)
            self._journal.intend(phase, index, step, before)
        elif self._settled(step, before):
            self._journal.done(phase, index, step, {"found": "done by a worker that did not live to say so"})
            return
        self._journal.done(phase, index, step, self._perform(step, before))

    def _perform(self, step: Step, before: Seen) -> Seen:
        deadline_s = step.deadline_s or self._numbers.step_deadline_s
        tries, begun = 0, time.monotonic()

        def attempt() -> Seen:
            nonlocal tries
            tries += 1
            self._lease.check()
            if tries > 1 and self._settled(step, before):
                return {"found": "done, though the answer was lost"}
            return self._fenced(step, before, max(1.0, begun + deadline_s - time.monotonic()))

        return Retrying(
            retry=retry_if_exception_type(Transient) & retry_if_not_exception_type(NotYet),
            wait=wait_exponential_jitter(multiplier=0.2, max=5, jitter=0.2),
            stop=stop_after_attempt(_TRIES_IN_PLACE) | stop_before_delay(deadline_s),
            sleep=self._lease.wait,
            reraise=True,
        )(attempt)

    def _fenced(self, step: Step, before: Seen, deadline_s: float) -> Seen:
        """Perform; where the target has seen a higher fence while the lease is ours, mint a higher one."""
        try:
            return self._driver.perform(step, before, self._lease.fence, deadline_s)
        except Permanent as e:
            if e.reason is not Reason.STALE_FENCE:
                raise
        self._lease.raise_fence(self._ledger, self._driver.observe().fence)
        return self._driver.perform(step, before, self._lease.fence, deadline_s)

    def _settled(self, step: Step, before: Mapping[str, object]) -> bool:
        state = self._driver.inspect(step, before, self._lease.fence)
        if state is StepState.NEITHER:
            raise Permanent(
                Reason.CHANGED_MEANWHILE,
                f"somebody changed the target while this was under way: {step.does}. "
                "Look at what runs there now; a new alert about it opens a new rollback.",
            )
        return state is StepState.DONE
