"""The world in which the protocol has to hold: everything that may happen, in any order, between any two calls."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.ledger import Heard, HeardAlert, MovedOn, NewRollback
from model.invariants import Witness, require
from model.redis_side import Mutation, RedisSide
from model.site import RULE, SERVICE, Luck, Site
from model.target import Target
from model.worker import Worker

INSTANCES = ("web1", "web2", "web3")
ABOUT = {f"{letter}{at}": name for at, name in enumerate(INSTANCES) for letter in "ab"}
ASKS = frozenset({"web3"})

instances = st.sampled_from(INSTANCES)
alerts = st.sampled_from(sorted(ABOUT))
workers = st.integers(0, 2)
calls = st.integers(1, 16)
lucks = st.sampled_from(Luck)
replies = st.sampled_from(["comes", "comes late", "is lost"])
any_one = st.integers(0, 30)


class Protocol(RuleBasedStateMachine):
    """One run of the world. A subclass names the Redis it runs on, and what is broken on purpose."""

    client: Any
    raw: Any
    mutations: tuple[Mutation, ...] = ()
    compares_fences = True
    compares_arrivals = True

    def __init__(self) -> None:
        super().__init__()
        self.redis = RedisSide(self.client, self.raw, self.mutations)
        self.witness = Witness(asks=ASKS)
        self.targets = {
            name: Target(
                name,
                compares_fences=self.compares_fences,
                compares_arrivals=self.compares_arrivals,
                watched=self._watched,
            )
            for name in INSTANCES
        }
        for target in self.targets.values():
            target.deploy()
        site = Site(self.redis, self.targets, ABOUT, ASKS, self.witness.committed)
        self.workers = [Worker(f"w{n}", site) for n in range(3)]
        self.replicated = False
        self.rounds = 0

    def _watched(self, target: Target, write: Any) -> None:
        self.witness.memory = self.redis.memory()
        self.witness.written(target, write)

    # -- monitoring, and deployers

    @initialize(alerts=st.sets(alerts, min_size=1, max_size=4), by_hand=st.sampled_from([None, None, *INSTANCES]))
    def something_is_wrong(self, alerts: set[str], by_hand: str | None) -> None:
        """Begin with alerts about some instances, and now and then a person who acts on their own."""
        if by_hand:
            self.asks_by_hand(by_hand)
        for alert in sorted(alerts):
            self.fires(alert, 0)

    @rule(alert=alerts, late=st.integers(0, 1))
    def fires(self, alert: str, late: int) -> None:
        """Hear an alert firing; once it is answered, its rule will be asked."""
        self._hear(alert, firing=True, since_ms=late * 90_000)

    @rule(alert=alerts)
    def resolves(self, alert: str) -> None:
        """Hear an alert resolved."""
        self._hear(alert, firing=False, since_ms=0)

    def _hear(self, alert: str, *, firing: bool, since_ms: int) -> None:
        heard = HeardAlert(alert, firing, self.redis.now_ms - since_ms, "{}", "{}", (RULE,), services=(SERVICE,))
        answer = self.redis.hearing.hear(Heard.of([heard]))
        if firing and not answer.stragglers:
            episode = self.redis.memory()["episode"][alert]
            require(f"rule:{RULE}" in episode, "accepted has an end", alert)

    @rule(instance=instances)
    def deploys(self, instance: str) -> None:
        """Somebody brings another release, and tells nobody."""
        self.targets[instance].deploy()

    # -- workers

    @rule(worker=workers, which=any_one)
    def a_bell_rings_twice(self, worker: int, which: int) -> None:
        """Ring for anything, at any time: a bell proves nothing."""
        known = sorted(self.redis.memory().rollbacks)
        if known and self.workers[worker].idle:
            self.workers[worker].hears(known[which % len(known)])

    @rule(worker=workers, many=calls)
    def goes_on(self, worker: int, many: int) -> None:
        """Have a worker make its next calls; with nothing to do, it takes the oldest bell."""
        self._goes(worker, many)

    @rule(worker=workers)
    def goes_on_to_the_end(self, worker: int) -> None:
        """Have a worker carry on until it waits or is done."""
        self._goes(worker, 60)

    @rule(worker=workers, many=calls, luck=lucks, reply=replies)
    def goes_on_badly(self, worker: int, many: int, luck: Luck, reply: str) -> None:
        """Have something on the way not work, or the reply to the last call come late or never."""
        self._goes(worker, many, luck, reply)

    def _goes(self, worker: int, many: int, luck: Luck = Luck.GOOD, reply: str = "comes") -> None:
        if self.workers[worker].idle and (ident := self.redis.next_bell()):
            self.workers[worker].hears(ident)
        for left in reversed(range(many)):
            self.workers[worker].goes(luck=luck, reply="comes" if left else reply)

    @rule(worker=workers, other=workers, many=st.integers(1, 40), luck=lucks, instance=instances)
    def sleeps_past_its_lease(self, worker: int, other: int, many: int, luck: Luck, instance: str) -> None:
        """Stop a worker somewhere, let another carry on to some end, and wake it."""
        self._goes(worker, many)
        self.lease_lapses(instance)
        if other != worker:
            self._goes(other, 60, luck)
            self._goes(worker, 60)

    @rule(worker=workers)
    def dies(self, worker: int) -> None:
        """Kill a worker; whoever comes after it knows only what was written down."""
        self.workers[worker].dies()

    @rule(instance=instances)
    def lease_lapses(self, instance: str) -> None:
        """Let a lease lapse: its holder is dead, or stopped, and not aware of it when it goes on."""
        self.redis.passes(11_000)
        for lease in (instance, *self.redis.memory()["notification"]):
            self.redis.lapses(lease)
        self.redis.bells.ring_due()

    @rule(worker=workers)
    def renews(self, worker: int) -> None:
        """Keep the lease by the thread beside the work, or learn that it is lost."""
        hold = self.workers[worker].lease
        if hold is not None and not self.redis.leases.renew(hold.lease, hold.token, hold.id):
            self.workers[worker].dies()

    @rule(seconds=st.sampled_from([1, 5, 61, 130]))
    def reconciles(self, seconds: int) -> None:
        """Time passes, and a reconciler rings for what is due."""
        self.redis.passes(seconds * 1000)
        self.redis.bells.ring_due()

    # -- people

    def asks_by_hand(self, instance: str) -> None:
        """Have a person roll an instance back."""
        self.redis.rollbacks.open(NewRollback(instance, SERVICE, instance, by="alice"))

    @rule(word=st.sampled_from(["roll back", "deny", "pause", "resume"]), which=any_one)
    def a_person_says(self, word: str, which: int) -> None:
        """Roll this back, no to that one, stop everything, go on."""
        match word:
            case "roll back":
                self.asks_by_hand(INSTANCES[which % len(INSTANCES)])
            case "deny":
                self._denies(which)
            case _:
                self._pauses(on=word == "pause")

    @rule(which=any_one, worker=workers, many=st.integers(0, 14), undone=st.booleans())
    def cancels(self, which: int, worker: int, many: int, undone: bool) -> None:
        """Have a person cancel; between the look at the record and the word, a worker may get on."""
        if which < 10:
            self.cancelled(which, lambda: self._goes(worker, many), undone=undone)

    def cancelled(self, which: int, meanwhile: Callable[[], None], *, undone: bool = False) -> None:
        """Cancel one of the rollbacks; something happens between the look and the word."""
        known = sorted(self.redis.memory().rollbacks)
        if known:
            self.redis.line.before["move"] = meanwhile
            with contextlib.suppress(MovedOn):
                self.redis.rollbacks.cancel(known[which % len(known)], by="alice", why="", undone=undone)
            self.redis.line.before.clear()

    def _denies(self, which: int) -> None:
        known = sorted(self.redis.memory().rollbacks)
        if known:
            with contextlib.suppress(MovedOn):
                self.redis.rollbacks.deny(known[which % len(known)], by="alice", why="")

    @rule(instance=st.sampled_from(sorted(ASKS)))
    def approves(self, instance: str) -> None:
        """Have a person say yes to the plan that they read."""
        ident = self.redis.memory()["claim"].get(instance)
        if ident:
            with contextlib.suppress(MovedOn):
                rollback = self.redis.rollbacks.approve(ident, by="alice")
                self.witness.approved.add((instance, rollback.approved.partition(" ")[2]))

    def _pauses(self, *, on: bool) -> None:
        if on:
            self.redis.hands.pause("", "alice", "", None)
        else:
            self.redis.hands.resume("", "alice")
        self.witness.paused = on

    # -- Redis itself

    @rule()
    def replicates(self) -> None:
        """Give the replica everything up to here."""
        self.redis.replicate()
        self.replicated = True

    @precondition(lambda self: self.replicated)
    @rule(back_s=st.sampled_from([0, 0, 1, 30]))
    def fails_over(self, back_s: int) -> None:
        """Have the replica take over: what it has not heard of never was, and its clock may be behind."""
        self.redis.fail_over(back_s * 1000)
        self.witness.look(self.redis.memory(), after_failover=True)

    @invariant()
    def invariants_hold(self) -> None:
        """Look at everything, after every rule."""
        self.witness.look(self.redis.memory())

    # -- the end

    def teardown(self) -> None:
        """Let the storm pass: with workers that live and a world that holds still, everything comes to its end."""
        for worker in self.workers:
            worker.dies()
        self._pauses(on=False)
        while not self._is_quiet():
            for lease in self.redis.memory()["lease"]:
                self.redis.lapses(lease)
            self.redis.passes(61_000)
            self.redis.bells.ring_due()
            while ident := self.redis.next_bell():
                self._runs(ident)
            for instance in ASKS:
                self.approves(instance)
            self.rounds += 1
            require(self.rounds < 20, "every rollback ends, or is held", self.redis.memory().rollbacks)
        self.witness.look(self.redis.memory())

    def _runs(self, ident: str) -> None:
        worker = self.workers[0]
        worker.hears(ident)
        while not worker.idle:
            worker.goes(luck=Luck.GOOD)

    def _is_quiet(self) -> bool:
        """Whether no pair is undecided, and what is left waits for an alert, for the limit, or for a person."""
        memory = self.redis.memory()
        states = {(r["state"], r.get("reason", "")) for r in memory.rollbacks.values()}
        left = {(s, reason) for s, reason in states if s not in ("ended", "held", "verifying")}
        return not memory["notification"] and left <= {("waiting", "limit-reached")}
