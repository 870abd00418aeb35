"""What must hold after every single call, read from Redis and from a witness beside each target.

Those that rest on what Redis remembers are asked only while it has forgotten nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from controller.ledger import Taken
from model.redis_side import Broken, Memory
from model.site import LIMIT, RULE
from model.target import DEPLOYER, Target, Write
from rules.seals import chained, sum_of

_CHANGING = frozenset({"acting", "parked", "verifying", "undoing"})


def require(holds: object, name: str, *facts: object) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(f"{name}: {', '.join(map(str, facts))}")


@dataclass(slots=True)
class Witness:
    """Remembers what it saw, so that what must never change can be seen to have changed."""

    forgot: bool = False
    """Whether a failover lost something: limits, pauses and records are then only as good as what is left."""
    paused: bool = False
    approved: set[tuple[str, str]] = field(default_factory=set)
    asks: frozenset[str] = frozenset()
    memory: Memory = field(default_factory=lambda: Memory({}))
    _ended: dict[str, str] = field(default_factory=dict)
    _journals: dict[str, list[str]] = field(default_factory=dict)
    _terms: dict[str, int] = field(default_factory=dict)
    _switched: set[str] = field(default_factory=set)
    _began: set[tuple[str, str]] = field(default_factory=set)

    def look(self, memory: Memory, *, after_failover: bool = False) -> None:
        """Check everything that can be said of what Redis holds now."""
        if after_failover:
            self.forgot, self._ended, self._journals = True, {}, {}
        self.memory = memory
        for check in (_one_unfinished, _looked_at_again, _accepted_has_an_end, _chained, _effects_are_reserved):
            check(memory)
        self._ended_stays(memory)
        self._journal_only_grows(memory)
        if not self.forgot:
            self._a_change_is_said(memory)

    def _a_change_is_said(self, memory: Memory) -> None:
        """Compare what ended, as if it had changed nothing, with what the targets saw."""
        for ident in self._switched:
            record = memory.rollbacks[ident]
            said = record["state"] != "ended" or record.get("changed") == "1"
            require(said, "what changed something never ends as if it had not", ident, record)

    def _ended_stays(self, memory: Memory) -> None:
        for ident, outcome in self._ended.items():
            record = memory.rollbacks.get(ident, {})
            now = (record.get("state"), record.get("outcome"))
            require(now == ("ended", outcome), "what ended never moves again", ident, outcome, now)
        self._ended = {i: r["outcome"] for i, r in memory.rollbacks.items() if r["state"] == "ended"}

    def _journal_only_grows(self, memory: Memory) -> None:
        for ident, before in self._journals.items():
            now = memory["journal"].get(ident, [])
            require(now[: len(before)] == before, "a journal only grows", ident, before, now)
        self._journals = {ident: list(entries) for ident, entries in memory["journal"].items()}

    def committed(self, taken: Taken, arrival: str) -> None:
        """Ask, at the very moment of a rule's commit, whether nobody said no."""
        if taken.record.get("by") or self.forgot:
            return
        require(not self.paused, "nothing is committed during a pause", taken.id)
        asked = taken.lease in self.asks
        plan = (taken.lease, arrival)
        require(not asked or plan in self.approved, "only what a person approved is committed", taken.id, plan)

    def written(self, target: Target, write: Write) -> None:
        """Judge one write that a target is about to take."""
        require(write.fence >= target.fence, "no stale write", target.name, write, target.fence)
        equal = write.fence == target.fence and write.rollback != target.owner
        require(not equal, "no stale write: an equal fence is the same rollback's", target.name, write)
        if write.what == "switch":
            require(
                write.planned == write.met, "one change per effect: only what the plan met", target.name, write
            )
        if not self.forgot:
            self._intended(write)
        if self.forgot:
            return
        require(write.term >= self._terms.get(target.name, 0), "no stale write: the lease was taken since", write)
        self._terms[target.name] = write.term
        if write.what == "switch":
            self._switched.add(write.rollback)
            self._counted(target, write)

    def _intended(self, write: Write) -> None:
        entries = [json.loads(entry) for entry in self.memory["journal"].get(write.rollback, [])]
        intended = any(e["kind"] == "intent" and e["step"] == write.what for e in entries)
        require(intended, "no change without a journaled intent", write)

    def _counted(self, target: Target, write: Write) -> None:
        record = self.memory.rollbacks.get(write.rollback, {})
        if record.get("by") or write.brought_by == write.rollback:  # a person's, or the way back
            return
        require(write.brought_by == DEPLOYER, "our own hand brings no arrival for a rule", target.name, write)
        self._began.add((target.name, write.met))
        require(len(self._began) <= LIMIT, "never over a limit", LIMIT, sorted(self._began))


def _one_unfinished(memory: Memory) -> None:
    """Each instance has at most one unfinished rollback, and the claim names it."""
    alive = {ident: record for ident, record in memory.rollbacks.items() if record["state"] != "ended"}
    claims = {record["instance"]: ident for ident, record in alive.items()}
    require(len(claims) == len(alive), "one unfinished rollback per instance", alive)
    require(claims == memory["claim"], "the claim names the unfinished rollback", claims, memory["claim"])
    listed = set(memory.one("unfinished", ()))
    require(listed == set(alive), "the list of the unfinished is complete", listed, set(alive))
    begun = {ident for ident, record in alive.items() if record["state"] in _CHANGING}
    listed = set(memory.one("begun", ()))
    require(listed == begun, "the list of those that began is complete", listed, begun)


def _looked_at_again(memory: Memory) -> None:
    """Whatever waits is in `due`, so that its bell rings again; what is over is not."""
    due = set(memory.one("due", ()))
    for ident, record in memory.rollbacks.items():
        if record["state"] not in ("held", "ended"):
            require(ident in due, "what waits is looked at again", ident, record["state"])
    for ident in memory["notification"]:
        require(ident in due, "what waits is looked at again", ident)


def _accepted_has_an_end(memory: Memory) -> None:
    """Each pair of alert and rule is decided, or is in a notification."""
    asked = {pair for pairs in memory["notification"].values() for pair in pairs}
    for fingerprint, episode in memory["episode"].items():
        if episode.get(f"rule:{RULE}") == "":
            require(f"{fingerprint} {RULE}" in asked, "accepted has an end", fingerprint, asked)


def _chained(memory: Memory) -> None:
    """Each journal's chain leads to the head that its record names."""
    for ident, record in memory.rollbacks.items():
        head = ""
        for entry in memory["journal"].get(ident, []):
            head = chained(head, sum_of(entry))
        require(head == record.get("journal_head", ""), "the journal's chain verifies", ident)


def _effects_are_reserved(memory: Memory) -> None:
    """Whoever may change an arrival, or has, is the one that its effect names."""
    for ident, record in memory.rollbacks.items():
        if record["state"] in _CHANGING or (record["state"] == "ended" and record.get("changed") == "1"):
            if not record.get("effect"):
                continue
            owner = memory["effect"].get(record["effect"])
            later = {i for i, r in memory.rollbacks.items() if r.get("by") and r.get("effect") == record["effect"]}
            require(owner == ident or owner in later, "the effect names who made it", ident, owner)
