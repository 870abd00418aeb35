"""After the change: whether it helped, and what becomes of a rollback that another release overtook."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from controller.ledger import End, Episode, Rollback, State
from controller.ledger.ids import effect_of
from rules.decisions import Reason
from rules.errors import RollbackError
from workers.driver import Driver
from workers.runner.consequences import Consequences
from workers.runner.progress import Progress
from workers.runner.verifying import Verdict, judge

log = structlog.get_logger(__name__)

_HEARD_AGAIN = "what joined it is put before the rules again now, its other alerts once they are heard again"

LOOK_AT_ALERTS_S = 15
"""A resolve rings at once; this is how often a rollback is judged without one."""


class Aftermath:
    """Judges one rollback once its change is made, or held. `reach` connects to the target only where asked."""

    def __init__(
        self,
        rollback: Rollback,
        progress: Progress,
        now_ms: Callable[[], int],
        reach: Callable[[], Driver],
        consequences: Consequences,
    ) -> None:
        self._rollback = rollback
        self._progress = progress
        self._now_ms = now_ms
        self._reach = reach
        self._consequences = consequences

    def verify(self, episodes: Sequence[Episode], cleared_within_s: float) -> None:
        """End the rollback where its outcome is known, else say when to look again."""
        now_ms = self._now_ms()
        changed_ms = self._rollback.changed_ms or now_ms
        verdict = judge(episodes, changed_ms=changed_ms, now_ms=now_ms, cleared_within_s=cleared_within_s)
        if (self._rollback.joined_after or (verdict and verdict.outcome is End.INEFFECTIVE)) and self._overtaken():
            detail = "another release arrived before this could be judged; "
            verdict, again = Verdict(End.INCONCLUSIVE, Reason.SUPERSEDED, detail + _HEARD_AGAIN), True
        else:
            again = False
        if verdict is not None:
            effects = our_effects(self._rollback.instance, self._rollback.our_arrival)
            self._consequences.ended(self._rollback, verdict.outcome, verdict.detail)
            self._progress.end(
                verdict.outcome,
                verdict.reason,
                verdict.detail,
                changed=True,
                effects=effects,
                ask_again="all" if again else "",
            )
            if verdict.outcome is End.RECOVERED:
                self._consequences.closed(self._rollback)
            return
        left_s = max(0.5, (changed_ms - now_ms) / 1000 + cleared_within_s)
        look_again_s = min(left_s, LOOK_AT_ALERTS_S)
        self._progress.move(State.VERIFYING, {}, look_again_s=look_again_s, release=True)

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
        return rollback.changed_ms is None or seen.running != rollback.to_release


def our_effects(instance: str, arrival: str) -> tuple[str, ...]:
    """Return the effects of what our own hand brought, which is no arrival for a rule to act on."""
    return (effect_of(instance, arrival),) if arrival else ()
