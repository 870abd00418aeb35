"""One stretch of one rollback: from whatever state it is in, under one lease, to the next wait or the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import structlog

from controller.ledger import Busy, End, Gone, LeaseLost, Newer, Rollback, State, Taken
from rules.decisions import Reason
from rules.errors import NotYet, Permanent, RollbackError, Transient
from rules.instances import read_instance
from rules.judgement import Judgement
from rules.plans import Plan
from workers.driver import Driver
from workers.runner.aftermath import Aftermath, Undo
from workers.runner.arrived import arrival_of, shows_our_hand
from workers.runner.consequences import Consequences
from workers.runner.failures import is_last, worth_the_way_back
from workers.runner.journal import Journal
from workers.runner.lease import Lease, Stopping, boot_time
from workers.runner.otherwise import Otherwise
from workers.runner.preparing import Preparing
from workers.runner.progress import Progress
from workers.runner.steps import Steps, is_drained
from workers.runner.trust import Phase, Trust
from workers.runner.unreadable import UNREADABLE, hold_unreadable
from workers.runner.wanted import require_still_wanted
from workers.runner.wayback import WayBack
from workers.site import Site
from workers.terms import Terms
from workers.verifying import Verifying

log = structlog.get_logger(__name__)


def run_stretch(site: Site, ident: str, job: str) -> None:
    """Take rollback `ident` one stretch further as `job`; returns when it waits, ended, or is another's."""
    since = boot_time()
    taken = site.ledger.leases.take(ident, holder=job, kind="rollback")
    if isinstance(taken, Busy | Gone):
        log.info("rollback.left_alone", rollback=ident, because=type(taken).__name__.lower())
        if isinstance(taken, Newer):
            fix = "it waits for a worker of the version that wrote it: have one run"
            log.warning("rollback.written_by_newer_version", rollback=ident, written=taken.holder, fix=fix)
        return
    with Lease(
        taken, since=since, numbers=site.numbers, keeper=site.lease_ledger, stopping=site.stopping
    ) as lease:
        try:
            stretch = _Stretch(site, taken, lease, since, job)
        except UNREADABLE as e:
            hold_unreadable(site.ledger, taken, e)
        else:
            stretch.run()


class _Stretch:
    def __init__(self, site: Site, taken: Taken, lease: Lease, since: float, job: str) -> None:
        if taken.unreadable:
            raise ValueError(taken.unreadable)
        self._site = site
        self._job = job
        self._ledger = site.ledger
        self._taken = taken
        self._lease = lease
        self._rollback = Rollback.of(taken.record)
        if self._rollback.id != taken.id:
            raise ValueError(f"it says that it is rollback {self._rollback.id[:40]!r}")
        self._terms = replace(Terms.read(self._rollback.spec), who=self._rollback.asked_by, why=self._rollback.why)
        self._now_ms: Callable[[], int] = lambda: taken.now_ms + round((boot_time() - since) * 1000)
        trust = Trust(taken.id, taken.record, site.keys)
        self._journal = Journal(self._ledger, lease, taken, self._now_ms, trust)
        alert = next((episode.alert for episode in taken.episodes), None)
        self._consequences = Consequences(site, alert)
        loops = self._consequences.if_it_loops(self._rollback)
        self._progress = Progress(site.ledger, lease, self._journal, self._rollback, self._now_ms, loops)
        self._driver: Driver | None = None
        self._judged: Judgement | None = None
        self._preparing: Preparing | None = None
        self._log = log.bind(rollback=self._rollback.id, instance=self._rollback.instance)

    def run(self) -> None:
        """Run, and put every way this can go wrong into the ledger."""
        try:
            self._go()
        except LeaseLost:
            self._log.warning("rollback.lease_lost", state=self._progress.state)
        except Stopping:
            detail = "the worker was asked to stop; another carries on"
            self._progress.park(Reason.SHUTDOWN, detail, 0, seen=self._seen())
        except NotYet as e:
            self._otherwise().wait(e)
        except Transient as e:
            self._otherwise().try_again(e)
        except Permanent as e:
            self._otherwise().give_up(e)
        except UNREADABLE as e:  # a plan or a journal that another version wrote, or that is damaged
            self._log.exception("rollback.unreadable")
            self._progress.hold(Reason.RECORD_UNREADABLE, f"what is recorded of it cannot be carried out: {e!r}")
        finally:
            if self._driver is not None:
                self._driver.close()

    def _go(self) -> None:
        match self._progress.state:
            case State.PLANNED | State.WAITING:
                self._journal.require_sealed()
                self._act(self._prepare())
            case State.ACTING | State.PARKED:
                plan = self._stored("plan", self._rollback.plan, self._rollback.acting_ms)
                if self._progress.state is State.ACTING:  # not parked: the worker before us died or lost its lease
                    self._journal.note("taken-over")
                if self._journal.untouched() and not self._is_begun(plan):
                    self._ask_again(plan)
                self._act(plan)
            case State.UNDOING:
                self._stored("way-back", self._rollback.way_back, self._rollback.changed_ms)
                self._way_back().carry_out(self._rollback)
            case State.VERIFYING:
                self._verify()
            case State.HELD:
                self._aftermath().reconsider()
            case State.ENDED:
                return

    def _stored(self, phase: Phase, text: str, since_ms: int | None) -> Plan:
        """Read a plan that another worker made; raises unless a worker sealed it, where there is a key.

        One that we cannot judge waits for a worker who can, for no longer than acting may take.
        """
        try:
            self._journal.require_planned(phase, text)
        except NotYet as e:
            if self._now_ms() < self._deadline_ms(since_ms or 1):
                raise
            raise Permanent(e.reason, str(e)) from e
        return Plan.from_json(text)

    def _otherwise(self) -> Otherwise:
        return Otherwise(
            self._rollback,
            self._terms,
            self._progress,
            self._journal,
            self._consequences,
            self._site,
            now_ms=self._now_ms,
            seen=self._seen(),
        )

    # -- before the first change

    def _prepare(self) -> Plan:
        self._require_still_wanted()
        allowed, plan = self._prepared().commit(self._rollback, self._terms, self._left())
        self._rollback = self._progress.is_committed(self._rollback, allowed, plan)
        self._judged = allowed.judgement
        return plan

    def _is_begun(self, plan: Plan) -> bool:
        """Whether the target shows our own hand, though the journal does not: a failover forgot what it said.

        Then nothing is given back: the steps compare, find what is done, and go on. One that cannot be seen is
        waited for as often as the rule says; then the journal has the last word.
        """
        try:
            begun = shows_our_hand(self._reach(), plan, self._rollback.id, self._lease.fence)
        except RollbackError as e:
            if not self._is_last(e):
                raise
            return False
        if begun:
            self._consequences.begun(self._rollback, self._judged)  # forgotten as well, maybe
            self._journal.find_begun()
            self._log.warning("rollback.found_begun", to_release=plan.to_release)
        return begun

    def _ask_again(self, plan: Plan) -> None:
        """Ask the guards again under a commit that no change followed: its worker died, or parked, before it.

        What they say now counts: where it is no longer the same plan, the commit is given back, and the rollback
        is where it was before it.
        """
        rollback = replace(self._rollback, held_ms=None, held_for="")
        try:
            self._require_still_wanted()
            self._judged = self._prepared().commit_again(rollback, self._terms, self._left(), plan).judgement
            self._rollback = replace(self._rollback, acting_ms=self._now_ms())
        except LeaseLost:
            raise
        except RollbackError as e:
            self._log.info("rollback.given_back", reason=e.reason, detail=str(e))
            if is_drained(plan, self._journal):
                self._steps(self._deadline_ms(None)).into_rotation_again(plan)
            self._journal.give_back()
            self._progress.give_back()
            self._rollback = replace(rollback, committed_ms=None, acting_ms=None)
            raise

    def _require_still_wanted(self) -> None:
        require_still_wanted(self._site, self._taken, self._rollback, self._consequences)

    def _prepared(self) -> Preparing:
        self._preparing = Preparing(self._site, self._reach(), self._journal, self._lease, self._taken)
        return self._preparing

    def _left(self) -> frozenset[str]:
        oldest_ms = self._taken.now_ms - self._site.numbers.left_kept_s * 1000
        return frozenset(release for release, at_ms in self._taken.left.items() if at_ms > oldest_ms)

    def _reach(self) -> Driver:
        if self._driver is None:
            instance = read_instance(self._rollback.instance)
            self._driver = self._site.reach(instance, self._rollback.id, self._terms, self._now_s)
        return self._driver

    def _now_s(self) -> float:
        return self._now_ms() / 1000

    # -- acting

    def _steps(self, deadline_ms: int) -> Steps:
        return Steps(
            self._reach(),
            self._journal,
            self._lease,
            self._ledger,
            self._site.numbers,
            now_ms=self._now_ms,
            deadline_ms=deadline_ms,
        )

    def _deadline_ms(self, begun_ms: int | None) -> int:
        return (begun_ms or self._now_ms()) + round(self._site.numbers.acting_deadline_s * 1000)

    def _act(self, plan: Plan) -> None:
        if not self._journal.changed():
            self._consequences.begun(self._rollback, self._judged)
        try:
            self._steps(self._deadline_ms(self._rollback.acting_ms)).carry_out(plan, "plan")
        except LeaseLost:
            raise
        except (Permanent, Transient) as e:
            if self._is_last(e) and worth_the_way_back(e, self._journal):
                self._go_back(plan, e)
                return
            if self._is_last(e):
                self._into_rotation_again(plan)
            raise
        self._rollback = self._progress.is_changed(self._rollback, arrival_of(self._reach(), plan))
        again = self._ledger.leases.take(self._rollback.id, holder=self._job, kind="rollback")
        if isinstance(again, Taken):  # ours still; a resolve may have come while we acted
            self._taken, self._rollback = again, Rollback.of(again.record)
            self._verify()

    def _verify(self) -> None:
        with closing(Verifying(self._site)) as verifying:
            undo = self._aftermath().verify(self._taken.episodes, verifying)
        if undo is not None:
            self._take_back(undo, End.INEFFECTIVE)

    def _aftermath(self) -> Aftermath:
        return Aftermath(
            self._rollback,
            self._terms,
            self._progress,
            self._now_ms,
            self._reach,
            self._consequences,
            self._site.numbers.acting_deadline_s,
            self._planned,
        )

    def _planned(self) -> Plan:
        self._journal.require_planned("plan", self._rollback.plan)
        return Plan.from_json(self._rollback.plan)

    def _into_rotation_again(self, plan: Plan) -> None:
        """Leave nothing drained behind; where that fails too, the journal says so and the hold stands."""
        try:
            self._steps(self._deadline_ms(None)).into_rotation_again(plan)
        except LeaseLost:
            raise
        except RollbackError as e:
            self._journal.note("still-drained", detail=str(e))

    def _is_last(self, error: RollbackError) -> bool:
        return is_last(error, self._rollback.attempts, self._terms)

    def _go_back(self, plan: Plan, why: RollbackError) -> None:
        """Compensate, once: what the plan did not leave healthy is put back to where it was."""
        way_back = self._reach().plan_way_back(plan, self._reach().observe())
        self._take_back(Undo(way_back, why.reason, str(why)), End.FAILED)

    def _take_back(self, undo: Undo, as_: End) -> None:
        way = self._way_back()
        self._rollback = way.begin(self._rollback, undo.way_back, as_, undo.reason, undo.detail)
        way.carry_out(self._rollback)

    def _way_back(self) -> WayBack:
        return WayBack(
            self._progress,
            self._journal,
            self._reach,
            self._consequences,
            self._steps,
            self._now_ms,
            self._site.numbers,
        )

    def _seen(self) -> str:
        return self._preparing.arrival if self._preparing and not self._progress.committed else ""
