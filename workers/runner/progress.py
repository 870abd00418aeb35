"""Where a rollback stands, written down: every move a stretch makes, and every way in which it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from controller.ledger import AskAgain, End, LeaseLost, Ledger, MovedOn, Rollback, State
from rules.decisions import Reason
from rules.errors import Transient
from rules.plans import Plan
from workers.runner.journal import Journal
from workers.runner.judging import Allowed
from workers.runner.lease import Lease

log = structlog.get_logger(__name__)

LOOK_AT_ALERTS_S = 15
"""A resolve rings at once; this is how often a rollback is judged without one."""
ALIVE = tuple(state for state in State if state is not State.ENDED)
BEFORE_COMMIT = (State.PLANNED, State.WAITING)


class Progress:
    """The present state of one rollback, and the only way in which a stretch changes it.

    `if_it_loops` is what people are told, should its end open the loop-breaker of its service.
    """

    def __init__(
        self,
        ledger: Ledger,
        lease: Lease,
        journal: Journal,
        rollback: Rollback,
        now_ms: Callable[[], int],
        if_it_loops: str = "",
    ) -> None:
        self.state = rollback.state
        self._if_it_loops = if_it_loops
        self._gives_back = False
        self._rollbacks = ledger.rollbacks
        self._lease = lease
        self._journal = journal
        self._changed_ms = rollback.changed_ms
        self._now_ms = now_ms
        self._log = log.bind(rollback=rollback.id, instance=rollback.instance)

    @property
    def committed(self) -> bool:
        """Whether the rollback is past the point where it can end without a trace."""
        return self.state not in BEFORE_COMMIT and not self._gives_back

    def is_committed(self, rollback: Rollback, allowed: Allowed, plan: Plan) -> Rollback:
        """Note that the commit took place; the script has moved the state. Returns the record as it is now."""
        self.state = State.ACTING
        self._log.info("rollback.committed", from_release=plan.from_release, to_release=plan.to_release)
        return replace(
            rollback,
            state=State.ACTING,
            attempts=0,
            committed_ms=self._now_ms(),
            acting_ms=self._now_ms(),
            campaign=allowed.campaign,
            release=allowed.release,
            environment=allowed.environment,
            marked=allowed.marked,
            from_release=plan.from_release or "",
            to_release=plan.to_release,
        )

    def is_changed(self, rollback: Rollback, our_arrival: str) -> Rollback:
        """Write down that every step is done, and which arrival that brought; returns the record as it is now.

        From here on it is judged. What failed on the way is forgotten.
        """
        self._changed_ms = changed_ms = self._now_ms()
        fields = {"changed_at": str(changed_ms), "our_arrival": our_arrival}
        fields |= {"reason": "", "detail": "", "attempts": "0"}
        self.move(State.VERIFYING, fields, look_again_s=LOOK_AT_ALERTS_S)
        self._log.info("rollback.changed", to_release=rollback.to_release)
        return replace(
            rollback,
            state=State.VERIFYING,
            changed_ms=changed_ms,
            our_arrival=our_arrival,
            reason="",
            detail="",
            attempts=0,
        )

    def give_back(self) -> None:
        """Count the commit as not made: whatever stops the rollback now gives its reservation back."""
        self._gives_back = True

    def move(
        self, to: State, fields: dict[str, str], *, look_again_s: float | None, release: bool = False
    ) -> None:
        """Move on; raises `LeaseLost` or `MovedOn`. A move to the present state only sets when to look again."""
        come_from = (State.ACTING, State.PARKED) if self.state in (State.ACTING, State.PARKED) else (self.state,)
        self._rollbacks.move(self._lease.hold, come_from, to, fields, look_again_s=look_again_s, release=release)
        self.state = to

    def park(
        self,
        reason: Reason,
        detail: str,
        pause_s: float,
        *,
        attempts: int | None = None,
        seen: str = "",
        since_ms: int | None = None,
    ) -> None:
        """Stop here, give the lease back, and be looked at again after a pause.

        `seen` is the arrival that was looked at: should another have come by then, this is not about that one.
        `since_ms` is when it began to wait for this.
        """
        to = {State.PLANNED: State.WAITING, State.ACTING: State.PARKED}.get(self.state, self.state)
        to = to if self.committed else State.WAITING
        kept = self.state in (State.UNDOING, State.HELD)  # why it is where it is matters more than this pause
        fields = {} if kept else {"reason": str(reason), "detail": detail}
        if attempts is not None:
            fields["attempts"] = str(attempts)
        if seen:
            fields["seen_arrival"] = seen
        if since_ms is not None:
            fields["waits_since"] = str(since_ms)
        come_from, ring = (self.state,), reason is Reason.SHUTDOWN
        self._last(
            lambda: self._rollbacks.move(
                self._lease.hold, come_from, to, fields, look_again_s=pause_s, release=True, ring=ring
            )
        )
        self._log.info("rollback.parked", reason=reason, detail=detail, pause_s=round(pause_s, 3), state=to)

    def wait_for(self, fields: dict[str, str], pause_s: float, *, seen: str) -> None:
        """Stop before the first change, and be looked at again after a pause, or when somebody wakes it.

        `seen` is the arrival that was looked at, as for `park`. Everything could be looked at and asked: what
        failed before is forgotten.
        """
        written = {**fields, "attempts": "0", "waits_since": ""}
        if seen:
            written["seen_arrival"] = seen
        come_from = (self.state,)
        self._last(
            lambda: self._rollbacks.move(
                self._lease.hold, come_from, State.WAITING, written, look_again_s=pause_s, release=True
            )
        )
        self._log.info("rollback.waits", reason=fields["reason"], detail=fields["detail"])

    def hold(self, reason: Reason, detail: str) -> None:
        """Stop where nobody can know; only a person moves it on."""
        fields = {} if self.state is State.HELD else {"reason": str(reason), "detail": detail}
        if self._journal.changed():
            fields["changed_at"] = str(self._changed_ms or self._now_ms())
        self._last(
            lambda: self._rollbacks.move(
                self._lease.hold,
                ALIVE,
                State.HELD,
                fields,
                look_again_s=None,
                release=True,
                if_it_loops=self._if_it_loops,
            )
        )
        self._log.error("rollback.held", reason=reason, detail=detail)

    def end(
        self,
        outcome: End,
        reason: Reason,
        detail: str,
        *,
        changed: bool,
        effects: tuple[str, ...] = (),
        ask_again: AskAgain = "",
    ) -> None:
        """End it.

        `effects` are arrivals that our own hand brought, which no rule shall act on; `ask_again` names the
        alerts that are put before the rules once more.
        """
        fields = {"outcome": str(outcome), "reason": str(reason), "detail": detail}
        self._last(
            lambda: self._rollbacks.end(
                self._lease.hold,
                fields,
                changed=changed,
                effects=effects,
                ask_again=ask_again,
                if_it_loops=self._if_it_loops,
            )
        )
        self._log.info("rollback.ended", outcome=outcome, reason=reason, detail=detail)

    def _last(self, write: Callable[[], None]) -> None:
        """Make the last write of a stretch; one that fails is made again by whoever `due` rings for."""
        try:
            write()
        except (LeaseLost, MovedOn, Transient) as e:
            self._log.warning("rollback.not_written", error=str(e))
