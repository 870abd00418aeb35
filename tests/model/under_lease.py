"""What a stretch holds, and everything that it writes down under its lease."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from controller.ledger import Busy, End, Gone, Hold, LeaseLost, State, Taken
from controller.ledger.ids import effect_of
from model.site import Call, Calls, Stop
from model.target import Seen, Target
from rules.decisions import Reason

if TYPE_CHECKING:
    from model.worker import Worker

_ALIVE = tuple(state for state in State if state is not State.ENDED)


class UnderLease:
    """One bell answered by one worker."""

    target: Target

    def __init__(self, worker: Worker, ident: str) -> None:
        self.worker, self.site, self.id = worker, worker.site, ident
        self.ledger = worker.site.redis
        self.journal: list[dict[str, Any]] = []
        self.head = ""
        self.fence = self.term = 0

    def take(self, kind: str) -> Generator[Call, Any, None]:
        """Take the lease, or leave it to whoever has it. A retry bears the same nonce."""
        self.holder = f"{self.worker.name}:{next(self.site.nonces)}"

        def call() -> Any:
            self.term = next(self.site.terms)
            return self.ledger.leases.take(self.id, holder=self.holder, kind=kind)

        taken = yield call
        if isinstance(taken, Busy | Gone):
            raise LeaseLost
        self._holds(taken)

    def _holds(self, taken: Taken) -> None:
        self.taken, self.record, self.fence = taken, dict(taken.record), taken.fence
        self.hold = self.worker.lease = Hold(taken.id, taken.lease, taken.token)
        self.journal, self.head = [dict(entry) for entry in taken.journal], self.record.get("journal_head", "")

    @property
    def by_rule(self) -> bool:
        """Whether a rule wants it, and not a person."""
        return not self.record.get("by")

    # -- what is written down

    def note(self, kind: str, **facts: object) -> Calls:
        """Write one entry of the journal."""
        entry = {"kind": kind, "fence": self.fence, **facts}
        self.head = yield lambda: self.ledger.rollbacks.note(self.hold, self.head, entry)
        self.journal.append(entry)

    def _noted(self, kind: str, phase: str, step: str) -> bool:
        return any(e["kind"] == kind and e.get("phase") == phase and e.get("step") == step for e in self.journal)

    @property
    def may_have_changed(self) -> bool:
        """Whether a change was at least begun."""
        return any(entry["kind"] == "intent" for entry in self.journal)

    def _effects(self, arrival: str) -> tuple[str, ...]:
        """Our own hand's arrival is none for a rule to act on."""
        return (effect_of(self.taken.lease, arrival),) if arrival else ()

    def raise_fence(self, seen: int) -> Calls:
        """Mint a fence above what the target has met: the clock, or the counter, went back in a failover."""
        raised = yield lambda: self.ledger.leases.raise_fence(self.hold.lease, self.hold.token, seen)
        if raised is None:
            raise LeaseLost
        token, self.fence = raised
        self.hold = self.worker.lease = Hold(self.hold.id, self.hold.lease, token)

    def moving(self, come_from: tuple[State, ...], to: State, fields: dict[str, str], **how: Any) -> Call:
        """Return the call that moves the rollback."""
        return lambda: self.ledger.rollbacks.move(self.hold, come_from, to, fields, **how)

    def wait(self, seen: Seen, reason: Reason, **fields: str) -> Calls:
        """Wait before the first change, and remember what was there."""
        written = {"reason": str(reason), "seen_arrival": seen.arrival, **fields}
        state = State(self.record["state"])
        yield self.moving((state,), State.WAITING, written, look_again_s=60, release=True)
        raise Stop

    def park(self) -> Calls:
        """Stop where we are, and let another carry on."""
        state = State(self.record["state"])
        to = {State.PLANNED: State.WAITING, State.ACTING: State.PARKED}.get(state, state)
        yield self.moving((state,), to, {"reason": "shutdown"}, look_again_s=1, release=True)
        raise Stop

    def to_held(self, reason: Reason) -> Calls:
        """Stop where nobody can know; only a person moves it on."""
        fields = {"reason": str(reason)}
        if self.may_have_changed:
            fields["changed_at"] = str(self.taken.now_ms)
        yield self.moving(_ALIVE, State.HELD, fields, look_again_s=None, release=True)
        raise Stop

    def end(self, outcome: End, reason: Reason, **how: Any) -> Calls:
        """End it."""
        fields = {"outcome": str(outcome), "reason": str(reason), "detail": ""}
        yield lambda: self.ledger.rollbacks.end(self.hold, fields, **how)
        raise Stop
