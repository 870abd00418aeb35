"""What a worker does for one bell, call by call: it stops before each one, and may never come to it.

Each stretch is a generator that yields calls: one script, or one operation on the target. Whoever runs it chooses
how a call comes out, and when, so between any two of them anything may happen. A worker here always believes in
its lease: the real one gives up by its own clock, which only helps it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.ledger import (
    Busy,
    End,
    Gone,
    Hold,
    LeaseLost,
    LedgerUnavailable,
    MovedOn,
    NewRollback,
    State,
    Taken,
)
from controller.ledger.booking import start_line
from controller.ledger.decisions import Decided
from controller.ledger.ids import effect_of
from model.redis_side import Halt, RedisSide
from model.target import Seen, Target
from rules.decisions import Decision, Outcome, Reason

Call = Callable[[], Any]
Calls = Generator[Call, Any, None]
RULE, SERVICE = "d1", "shop"
LIMIT = 2
"""A rule may begin so many campaigns, each of which is one arrival on one instance."""
_ALIVE = tuple(state for state in State if state is not State.ENDED)
_STEPS = ("switch", "restart")


class Luck(StrEnum):
    """How things go wherever they may go one way or the other."""

    GOOD = "good"
    PARK = "park"
    FAIL = "fail"


class Stop(Exception):
    """The stretch is over: something is waited for, or known for good."""


@dataclass(slots=True)
class Site:
    """What workers reach: the ledger and the instances. `asks` names those where a person has to approve first."""

    redis: RedisSide
    targets: dict[str, Target]
    about: dict[str, str]
    asks: frozenset[str] = frozenset()
    committed: Callable[[Taken, str], None] = lambda taken, arrival: None
    nonces: Any = field(default_factory=lambda: itertools.count(1))
    terms: Any = field(default_factory=lambda: itertools.count(1))


@dataclass(slots=True)
class Worker:
    """One process. Killed, it forgets everything; stopped, it goes on where it was, however late."""

    name: str
    site: Site
    luck: Luck = Luck.GOOD
    lease: Hold | None = None
    _calls: Calls | None = None
    _next: Call | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a bell."""
        return self._calls is None

    def hears(self, ident: str) -> None:
        """Begin what a bell asks for, up to before the first call."""
        stretch = Stretch(self, ident)
        self._calls = stretch.notification() if ident.startswith("n") else stretch.rollback()
        self._go(next)

    def goes(self, *, luck: Luck = Luck.GOOD, reply: str = "comes") -> bool:
        """Make the call it stands before; False where it was kept from it.

        The reply may come, come to the second try, or be lost for good.
        """
        if self._calls is None or self._next is None:
            return True
        self.luck = luck
        call, error = self._next, None
        try:
            if reply == "comes late":
                with self.site.redis.repeating():
                    answer = call()
            else:
                answer = call()
        except Halt:
            return False
        except (LeaseLost, MovedOn) as e:
            answer, error = None, e
        if reply == "is lost":
            error = LedgerUnavailable("the reply is lost")
        if error is None:
            self._go(lambda calls: calls.send(answer))
        else:
            self._go(lambda calls: calls.throw(error))
        return True

    def dies(self) -> None:
        """End at once, wherever it is."""
        self._calls, self._next, self.lease = None, None, None

    def _go(self, onward: Callable[[Calls], Call]) -> None:
        assert self._calls is not None
        try:
            self._next = onward(self._calls)
        except (StopIteration, LeaseLost, MovedOn, LedgerUnavailable):
            self.dies()


class Stretch:
    """One bell answered."""

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

    # -- a notification: each pair of alert and rule is decided

    def notification(self) -> Calls:
        """Open a rollback for the instance that an alert is about, then write the decision down."""
        yield from self.take("notification")
        for pair in [name for name in self.record if not name.startswith("#")]:
            fingerprint, digest = pair.split(" ")
            instance = self.site.about[fingerprint]
            new = NewRollback(instance, SERVICE, instance, (fingerprint,), rule="r", rule_digest=digest)
            yield lambda new=new: self.ledger.rollbacks.open(new)
            decision = Decision(Outcome.ROLL_BACK, Reason.ALLOWED, "", instances={instance: "opened"})
            decided = [Decided(fingerprint, digest, "r", decision)]
            left = yield lambda decided=decided: self.ledger.decisions.record(self.id, self.hold.token, decided)
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

    @property
    def by_rule(self) -> bool:
        """Whether a rule wants it, and not a person."""
        return not self.record.get("by")

    def prepare(self) -> Calls:
        """Look, ask, commit. Until then everything may still say no."""
        episodes = self.taken.episodes
        if episodes and not any(episode.open for episode in episodes):
            yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
        seen: Seen = yield self.target.observe
        waited_for = self.record.get("seen_arrival")
        if waited_for and waited_for != seen.arrival:
            yield from self.end(End.SUPERSEDED, Reason.SUPERSEDED, changed=False, ask_again="joins")
        if self.worker.luck is not Luck.GOOD:
            yield from self.before_its_time(seen)
        yield from self.ask(seen)
        if seen.fence >= self.fence:
            yield from self.raise_fence(seen.fence)
        yield from self.note("prepared")
        for _ in range(3):
            if (yield from self.commit(seen)):
                return
            yield from self.ask(seen)
        yield from self.wait(seen, Reason.BACKOFF)

    def ask_again(self) -> Calls:
        """Ask the guards again under a commit that no change followed; a no, or not yet, gives it back."""
        if self.may_have_changed:
            return
        episodes = self.taken.episodes
        if episodes and not any(episode.open for episode in episodes):
            yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
        seen: Seen = yield self.target.observe
        if seen.arrival != self.record["arrival"]:
            yield from self.end(End.SUPERSEDED, Reason.SUPERSEDED, changed=False, ask_again="joins")
        for _ in range(3):
            yield from self.ask(seen, without=self.id)
            if (yield from self.commit(seen, again=True)):
                return
        yield from self.wait(seen, Reason.BACKOFF)

    def before_its_time(self, seen: Seen) -> Calls:
        """Something is not there yet, or never will be."""
        if self.worker.luck is Luck.FAIL:
            yield from self.end(End.REFUSED, Reason.NOT_SELECTED, changed=False, ask_again="joins")
        yield from self.wait(seen, Reason.BACKOFF)

    def ask(self, seen: Seen, without: str = "") -> Calls:
        """Ask the guards: a pause and a limit for rules, and a person where the rule says so."""
        self.campaign = f"{self.taken.lease}/{seen.arrival}" if self.by_rule else ""
        if not self.by_rule:
            self.booked = yield lambda: self.ledger.booking.read("", SERVICE, without)
            return
        yield lambda: self.ledger.booking.enlist(self.hold, self.campaign, {"service": SERVICE})
        self.booked = yield lambda: self.ledger.booking.read(self.campaign, SERVICE, without)
        if self.booked.book.pauses:
            yield from self.wait(seen, Reason.PAUSED_BY_PERSON)
        if len({start.id for start in self.booked.book.starts} - {self.campaign}) >= LIMIT:
            yield from self.wait(seen, Reason.LIMIT_REACHED)
        plan = f"{self.taken.lease} {seen.arrival}"
        if self.taken.lease in self.site.asks and self.record.get("approved") != plan:
            asked = {"plan": plan, "to": "good", "until_ms": self.taken.now_ms + 3_600_000}
            yield from self.wait(seen, Reason.SUSPECTS_MANY, asked=json.dumps(asked), approved="")

    def commit(self, seen: Seen, *, again: bool = False) -> Generator[Call, Any, bool]:
        """Make the last write before the first change; False where the book moved."""

        def call() -> Any:
            answer = self.ledger.rollbacks.commit(
                self.hold,
                effect=effect_of(self.taken.lease, seen.arrival),
                book=self.booked.book.version,
                from_release=seen.release,
                fields={"arrival": seen.arrival, "to": "good"},
                campaign=self.campaign,
                line=start_line(self.campaign, "r", SERVICE) if self.campaign else "",
                again=again,
            )
            if answer.verdict == "ok":
                self.site.committed(self.taken, seen.arrival)
            return answer

        answer = yield call
        match answer.verdict:
            case "ok":
                self.record |= {"state": "acting", "arrival": seen.arrival, "from": seen.release, "to": "good"}
                return True
            case "book":
                return False
            case "resolved":
                yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
            case "effect":
                yield from self.end(End.REFUSED, Reason.EFFECT_ALREADY_MADE, changed=False, ask_again="joins")
        raise Stop

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
            if self.worker.luck is Luck.FAIL and phase == "plan":
                yield from self.failed(step)
            if not self._noted("intent", phase, step):
                yield from self.note("intent", phase=phase, step=step)
            elif step == "switch" and (yield from self.is_switched(arrival, to)):
                yield from self.note("done", phase=phase, step=step)
                continue
            yield from self.perform(step, arrival, to)
            yield from self.note("done", phase=phase, step=step)

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
