"""After the change: whether it helped, and what becomes of a rollback that another release overtook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from controller.ledger import End, Episode, Rollback, State
from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient
from rules.observations import Observation
from rules.plans import Plan
from rules.rule import OnIneffective
from rules.verification import NotYet, Proof, Seen, Verdict, judge
from workers.driver import Driver
from workers.runner.arrived import our_effects
from workers.runner.consequences import Consequences
from workers.runner.progress import LOOK_AT_ALERTS_S, Progress
from workers.terms import Terms
from workers.verifying import Verifying

log = structlog.get_logger(__name__)

_HEARD_AGAIN = "what joined it is put before the rules again now, its other alerts once they are heard again"

_SOONEST_S = 0.5


@dataclass(frozen=True, slots=True)
class Undo:
    """It did not help, and its rule wants back what was there: the way, and why it is taken."""

    way_back: Plan
    reason: Reason
    detail: str


class Aftermath:
    """Judges one rollback once its change is made, or held. `reach` connects to the target only where asked.

    `patience_s` is for how long a target that cannot be seen keeps a verdict waiting that needs the way back;
    `planned` gives the plan that was carried out, or raises where nobody can vouch for it.
    """

    def __init__(
        self,
        rollback: Rollback,
        terms: Terms,
        progress: Progress,
        now_ms: Callable[[], int],
        reach: Callable[[], Driver],
        consequences: Consequences,
        patience_s: float,
        planned: Callable[[], Plan],
    ) -> None:
        self._rollback = rollback
        self._terms = terms
        self._progress = progress
        self._now_ms = now_ms
        self._reach = reach
        self._consequences = consequences
        self._patience_ms = round(patience_s * 1000)
        self._planned = planned

    def verify(self, episodes: Sequence[Episode], verifying: Verifying) -> Undo | None:
        """End the rollback where its outcome is known, else say when to look again.

        Returns the way back where it has to be taken first. Raises `Transient` where the target cannot be seen.
        """
        seen = verifying.look(self._rollback, self._terms, episodes, self._now_ms())
        verdict = judge(seen)
        did_not_help = isinstance(verdict, Verdict) and verdict.outcome is Proof.INEFFECTIVE
        if (self._rollback.joined_after or did_not_help) and self._overtaken():
            detail = f"another release arrived before this could be judged; {_HEARD_AGAIN}"
            self._end(Verdict(Proof.INCONCLUSIVE, Reason.SUPERSEDED, detail), ask_all=True)
        elif isinstance(verdict, NotYet):
            self._look_again(seen, verdict)
        elif did_not_help and self._terms.on_ineffective is OnIneffective.UNDO:
            return self._undo(verdict, seen)
        else:
            self._end(self._with_undo(verdict) if did_not_help else verdict)
        return None

    def reconsider(self) -> None:
        """Look at a held rollback that alerts joined: where its arrival is gone, they are asked again."""
        if not self._arrival_gone():
            self._progress.move(State.HELD, {}, look_again_s=None, release=True)
            return
        self._progress.end(
            End.SUPERSEDED,
            Reason.SUPERSEDED,
            f"another release arrived while this rollback was held; {_HEARD_AGAIN}",
            changed=self._rollback.changed_ms is not None,
            ask_again="all",
        )

    def _look_again(self, seen: Seen, verdict: NotYet) -> None:
        wait_s = max(_SOONEST_S, (verdict.look_again_ms - seen.now_ms) / 1000)
        fields = {"reason": "", "detail": verdict.detail}  # what could not be seen before was seen now
        if self._terms.cleared_within_s is None and self._rollback.cleared_within_s is None and not seen.blind:
            fields["cleared_within"] = f"{seen.cleared_within_s:g}"
        self._progress.move(State.VERIFYING, fields, look_again_s=min(wait_s, LOOK_AT_ALERTS_S), release=True)

    def _end(self, verdict: Verdict, *, ask_all: bool = False) -> None:
        outcome = End(verdict.outcome)
        self._consequences.ended(self._rollback, outcome, verdict.detail)
        self._progress.end(
            outcome,
            verdict.reason,
            verdict.detail,
            changed=True,
            effects=our_effects(self._rollback.instance, self._rollback.our_arrival),
            ask_again="all" if ask_all else "",
        )
        if outcome is End.RECOVERED:
            self._consequences.closed(self._rollback)

    def _undo(self, verdict: Verdict, seen: Seen) -> Undo | None:
        """Say how to bring back what was there, or end as it is where that is not ours to do, or cannot be."""
        try:
            return Undo(self._way_back(), verdict.reason, verdict.detail)
        except RollbackError as e:
            waits_until_ms = seen.changed_ms + round(seen.cleared_within_s * 1000) + self._patience_ms
            if isinstance(e, Transient) and seen.now_ms < waits_until_ms:
                raise
            if e.reason is Reason.NOT_SEALED:
                raise Permanent(e.reason, str(e)) from e
            problem = str(e).rstrip(".")
        said = f"what was there before was not brought back: {problem}. It did not help: {verdict.detail}"
        self._end(replace(verdict, detail=said))
        return None

    def _with_undo(self, verdict: Verdict) -> Verdict:
        said = f"{verdict.detail.rstrip('.')}; `rollbackctl undo {self._rollback.id}` brings back what was there"
        return replace(verdict, detail=said)

    def _way_back(self) -> Plan:
        """Plan it, only while the target still is what we made it: else it is somebody's work."""
        rollback, seen = self._rollback, self._reach().observe()
        if not rollback.our_arrival or seen.arrival != rollback.our_arrival:
            problem = f"{seen.running or 'nothing'} was brought there since, and not by this rollback"
            raise Permanent(Reason.CHANGED_MEANWHILE, problem)
        return self._reach().plan_way_back(self._planned(), seen)

    def _overtaken(self) -> bool:
        """Whether somebody else's arrival is there now, and no longer ours; what cannot be seen is not known."""
        try:
            seen = self._reach().observe()
        except RollbackError as e:
            log.warning("rollback.not_seen", rollback=self._rollback.id, reason=e.reason, detail=str(e))
            return False
        return seen.arrival != self._rollback.our_arrival and seen.running != self._rollback.to_release

    def _arrival_gone(self) -> bool:
        """Whether somebody else brought another release; what our own hand brought does not count."""
        rollback, seen = self._rollback, self._reach().observe()
        if not rollback.arrival or seen.arrival == rollback.arrival:
            return False
        return not self._is_ours(seen)

    def _is_ours(self, seen: Observation) -> bool:
        """Whether this rollback brought what runs, there or back: the target says so, or its fence does."""
        rollback = self._rollback
        if rollback.changed_ms is not None and seen.running == rollback.to_release:
            return True
        led_to = {rollback.to_release, rollback.from_release}
        return seen.brought_by == rollback.id or (seen.fence_owner == rollback.id and seen.running in led_to)
