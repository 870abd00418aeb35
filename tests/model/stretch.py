"""One stretch: of a notification, whose pairs are decided; or of a rollback, from its state to the next wait."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import partial
from typing import Any

from controller.ledger import End, LeaseLost, LedgerUnavailable, NewRollback, State, Taken
from controller.ledger.decisions import Decided
from model.before_the_change import BeforeTheChange
from model.site import SERVICE, Call, Calls, Luck, Stop
from model.target import Seen
from rules.decisions import Decision, Outcome, Reason

_STEPS = ("switch", "restart")


class Stretch(BeforeTheChange):
    """What a worker does for one bell."""

    # -- a notification: each pair of alert and rule is decided

    def notification(self) -> Calls:
        """Open a rollback for the instance that an alert is about, then write the decision down."""
        yield from self.take("notification")
        for pair in [name for name in self.record if not name.startswith("#")]:
            fingerprint, digest = pair.split(" ")
            instance = self.site.about[fingerprint]
            new = NewRollback(instance, SERVICE, instance, (fingerprint,), rule="r", rule_digest=digest)
            yield partial(self.ledger.rollbacks.open, new)
            decision = Decision(Outcome.ROLL_BACK, Reason.ALLOWED, "", instances={instance: "opened"})
            decided = [Decided(fingerprint, digest, "r", decision)]
            left = yield partial(self.ledger.decisions.record, self.id, self.hold.token, decided)
            if left is None:
                raise LeaseLost

    # -- a rollback: from the state it is in to the next wait, or the end

    def rollback(self) -> Calls:
        """Take a rollback on from whatever state it is in."""
        yield from self.take("rollback")
        self.target = self.site.targets[self.taken.lease]
        with contextlib.suppress(Stop):
            try:
                yield from self._by_state()
            except LedgerUnavailable:  # whatever it was, the record says how far we came
                yield from self.park()

    def _by_state(self) -> Calls:
        match State(self.record["state"]):
            case State.PLANNED | State.WAITING:
                yield from self.prepare()
                yield from self.act()
            case State.ACTING:
                yield from self.note("taken-over")
                yield from self.ask_again()
                yield from self.act()
            case State.PARKED:
                yield from self.ask_again()
                yield from self.act()
            case State.VERIFYING:
                yield from self.verify()
            case State.UNDOING:
                yield from self.undo()
            case State.HELD:
                yield from self.reconsider()

    # -- steps

    def act(self) -> Calls:
        """Carry the plan out, then hand the lease to whoever watches."""
        arrival, to = self.record["arrival"], self.record["to"]
        yield from self.carry_out("plan", arrival, to)
        seen: Seen = yield self.target.observe
        ours = seen.arrival if seen.release == to else ""
        fields = {"changed_at": str(self.taken.now_ms), "our_arrival": ours, "attempts": "0"}
        yield self.moving((State.ACTING, State.PARKED), State.VERIFYING, fields, look_again_s=15)
        again = yield lambda: self.ledger.leases.take(self.id, holder=self.holder, kind="rollback")
        if isinstance(again, Taken):  # ours still; a resolve may have come while we acted
            self._holds(again)
            yield from self.verify()

    def carry_out(self, phase: str, arrival: str, to: str) -> Calls:
        """Do each step that is not done: intent, change, done. What somebody else began is looked at first."""
        for step in _STEPS:
            if self._noted("done", phase, step):
                continue
            if self.worker.luck is Luck.PARK:
                yield from self.park()
            if phase == "plan" and self._fails(step):
                yield from self.failed(step)
            if not self._noted("intent", phase, step):
                yield from self.note("intent", phase=phase, step=step)
            elif step == "switch" and (yield from self.is_switched(arrival, to)):
                yield from self.note("done", phase=phase, step=step)
                continue
            yield from self.perform(step, arrival, to)
            yield from self.note("done", phase=phase, step=step)

    def _fails(self, step: str) -> bool:
        return self.worker.luck is (Luck.NO if step == "switch" else Luck.FAIL)

    def is_switched(self, arrival: str, to: str) -> Generator[Call, Any, bool]:
        """Look at what a dead worker may have done. Neither as before nor as after: held."""
        seen: Seen = yield self.target.observe
        if seen.release != to and seen.arrival != arrival:
            yield from self.to_held(Reason.CHANGED_MEANWHILE)
        return seen.arrival != arrival

    def perform(self, step: str, arrival: str, to: str) -> Calls:
        """Change the target under our fence; where it has met a higher one while the lease is ours, raise ours."""
        for _ in range(2):
            verdict = yield lambda: self._once(step, arrival, to)
            if verdict == "done":
                return
            if verdict == "changed":
                yield from self.to_held(Reason.CHANGED_MEANWHILE)
            seen: Seen = yield self.target.observe
            yield from self.raise_fence(seen.fence)
        yield from self.to_held(Reason.STALE_FENCE)

    def _once(self, step: str, arrival: str, to: str) -> str:
        if step == "restart":
            return self.target.restart(fence=self.fence, rollback=self.id, term=self.term)
        return self.target.switch(planned=arrival, to=to, fence=self.fence, rollback=self.id, term=self.term)

    def failed(self, step: str) -> Calls:
        """Before the change it is held; after it, the way back is taken, once."""
        if not self._noted("done", "plan", "switch"):
            yield from self.to_held(Reason.COMMAND_FAILED)
        seen: Seen = yield self.target.observe
        if seen.release != self.record["to"]:
            yield from self.to_held(Reason.CHANGED_MEANWHILE)
        way_back = {"way_back": seen.arrival, "changed_at": str(self.taken.now_ms), "attempts": "0"}
        yield self.moving((State.ACTING, State.PARKED), State.UNDOING, way_back, look_again_s=10)
        self.record |= way_back | {"state": "undoing"}
        yield from self.undo()

    def undo(self) -> Calls:
        """Put back what was there, by the same rules, only while the target is as we made it."""
        yield from self.carry_out("way-back", self.record["way_back"], self.record["from"])
        seen: Seen = yield self.target.observe
        yield from self.end(
            End.FAILED, Reason.NOT_HEALTHY, changed=True, effects=self._effects(seen.arrival), ask_again="joins"
        )

    # -- afterwards

    def verify(self) -> Calls:
        """Judge by what was heard since."""
        ours = self.record.get("our_arrival", "")
        if self.record.get("joined_after") or self.worker.luck is Luck.FAIL:
            seen: Seen = yield self.target.observe
            if seen.arrival != ours and seen.release != self.record["to"]:
                yield from self.end(
                    End.INCONCLUSIVE,
                    Reason.SUPERSEDED,
                    changed=True,
                    effects=self._effects(ours),
                    ask_again="all",
                )
        if not any(episode.open for episode in self.taken.episodes):
            yield from self.end(End.RECOVERED, Reason.CLEARED, changed=True, effects=self._effects(ours))
        if self.worker.luck is Luck.FAIL:
            yield from self.end(End.INEFFECTIVE, Reason.STILL_FIRING, changed=True, effects=self._effects(ours))
        yield self.moving((State.VERIFYING,), State.VERIFYING, {}, look_again_s=15, release=True)

    def reconsider(self) -> Calls:
        """End what is held where its arrival is gone by another's hand; else leave it to a person."""
        seen: Seen = yield self.target.observe
        arrival, changed = self.record.get("arrival"), "changed_at" in self.record
        if arrival and seen.arrival != arrival and not (changed and seen.release == self.record.get("to")):
            yield from self.end(End.SUPERSEDED, Reason.SUPERSEDED, changed=changed, ask_again="all")
        yield self.moving((State.HELD,), State.HELD, {}, look_again_s=None, release=True)
