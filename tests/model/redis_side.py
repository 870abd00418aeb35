"""Redis' side of the model: the real scripts on a real server, whose clock, memory and wire the model rules.

Only the word by which a script asks for the time is exchanged, so that hours pass in a moment and a failover can
set the clock back. A reply may be lost, and the client then sends the same call again, as redis-py does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from controller.ledger.bells import Bells
from controller.ledger.booking import Booking
from controller.ledger.connection import Argument, Client, Scripts, pairs
from controller.ledger.decisions import Decisions
from controller.ledger.hands import Hands
from controller.ledger.hearing import Hearing
from controller.ledger.keys import QUEUE_LIST, key
from controller.ledger.leases import Leases
from controller.ledger.rollbacks import Rollbacks
from controller.settings.numbers import Numbers

_TIME, _OURS = "redis.call('TIME')", "redis.call('HMGET', 'model:clock', 's', 'us')"
_BEGIN_MS = 1_763_700_000_000


class Broken(AssertionError):
    """An invariant does not hold; its name comes first."""


Mutation = tuple[str, str, str]
"""A script's name, a piece of its text, and what stands there instead."""


class Halt(Exception):
    """Whoever is about to make this call stands still before it."""


_UNDER_LEASE: dict[str, tuple[int, Callable[[Any], bool]]] = {
    "commit": (1, lambda answer: answer[0] == "ok"),
    "note": (1, lambda answer: answer == "ok"),
    "move": (3, lambda answer: answer[0] == "ok"),
    "enlist": (2, lambda answer: answer == "ok"),
    "decide": (0, lambda answer: int(answer) >= 0),
}
"""The scripts by which workers write: where lease and token stand among their words, and whether it was done."""


class Line(Scripts):
    """The scripts over a wire that may lose replies; `repeats` has each call arrive twice."""

    def __init__(self, connection: Client, numbers: Numbers, mutations: tuple[Mutation, ...] = ()) -> None:
        super().__init__(connection, numbers)
        for name, before, after in mutations:
            assert before in self._texts[name], (
                f"{name}.lua no longer says {before!r}: change the mutation with it"
            )
            self._texts[name] = self._texts[name].replace(before, after)
        for name, text in self._texts.items():
            assert _TIME in text, "the prelude asks for the time in other words now"
            self._texts[name] = text.replace(_TIME, _OURS)
            self._digests[name] = connection.register_script(self._texts[name]).sha
        self.repeats = False
        self.before: dict[str, Callable[[], None]] = {}

    def run(self, name: str, *args: Argument) -> Any:
        """Run one script; what is to happen right before it happens once."""
        self.before.pop(name, lambda: None)()
        held = self._holds(name, args)
        answer = super().run(name, *args)
        if not held and _UNDER_LEASE[name][1](answer):
            raise Broken(f"no write without the lease: {name}, {args[:5]}")
        return super().run(name, *args) if self.repeats else answer

    def _holds(self, name: str, args: tuple[Argument, ...]) -> bool:
        """Whether the words of a worker's write name the lease as it stands now; a person's name none."""
        if name not in _UNDER_LEASE:
            return True
        at = _UNDER_LEASE[name][0]
        lease, token = args[at], args[at + 1]
        return not token or self._client.get(key("lease", str(lease))) == token

    def transact(self, build: Callable[[Any], None]) -> list[Any]:
        """Execute a MULTI, likewise."""
        answer = super().transact(build)
        return super().transact(build) if self.repeats else answer


class Queue:
    """The doorbell without RQ: its list holds ids of bells, which is all that the scripts look at."""

    def ring(self, pipe: Any, ident: str, n: int) -> None:
        """Put a bell into the caller's MULTI."""
        pipe.rpush(QUEUE_LIST, f"{ident}-{n}")


@dataclass(slots=True)
class Memory:
    """All that Redis holds at one moment, by kind and id."""

    kinds: dict[str, dict[str, Any]]

    def __getitem__(self, kind: str) -> dict[str, Any]:
        return self.kinds.get(kind, {})

    def one(self, kind: str, empty: Any) -> Any:
        """Return what stands under a name without an id."""
        return self.kinds.get(kind, {}).get("", empty)

    @property
    def rollbacks(self) -> Mapping[str, Mapping[str, str]]:
        """The records."""
        return self["rollback"]


_KINDS = {
    **dict.fromkeys(("rollback", "episode", "notification"), "HGETALL"),
    **dict.fromkeys(("claim", "lease", "fence", "effect"), "GET"),
    **dict.fromkeys(("unfinished", "begun"), "SMEMBERS"),
    "due": "ZRANGE",
    "journal": "LRANGE",
}
_LOOK = """
local found, kinds = {}, cjson.decode(ARGV[1])
for _, name in ipairs(redis.call('KEYS', 'rc:*')) do
  local kind, id = string.match(name, '^rc:([^:]+):?(.*)$')
  local read = kinds[kind]
  if read == 'ZRANGE' or read == 'LRANGE' then
    found[#found + 1] = {kind, id, redis.call(read, name, 0, -1)}
  elseif read then
    found[#found + 1] = {kind, id, redis.call(read, name)}
  end
end
return cjson.encode(found)
"""
"""One round trip for all that the invariants speak of; they look after every step of the world."""


@dataclass(slots=True)
class RedisSide:
    """The ledger's parts on one server, its clock, and the replica that lags behind."""

    client: Client
    raw: Any
    mutations: tuple[Mutation, ...] = ()
    numbers: Numbers = field(default_factory=Numbers)
    now_ms: int = _BEGIN_MS
    _replica: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client.flushall()
        self.line = Line(self.client, self.numbers, self.mutations)
        bell: Any = Queue()
        self.rollbacks = Rollbacks(self.client, self.line, bell)
        self.leases = Leases(self.line)
        self.booking = Booking(self.client, self.line)
        self.decisions = Decisions(self.client, self.line)
        self.hearing = Hearing(self.line, bell)
        self.bells = Bells(self.line, bell)
        self.hands = Hands(self.client, self.line)
        self.passes(0)

    line: Line = field(init=False)
    rollbacks: Rollbacks = field(init=False)
    leases: Leases = field(init=False)
    booking: Booking = field(init=False)
    decisions: Decisions = field(init=False)
    hearing: Hearing = field(init=False)
    bells: Bells = field(init=False)
    hands: Hands = field(init=False)

    def passes(self, ms: int) -> None:
        """Let time pass, or (after a failover) run again."""
        self.now_ms += ms
        self.client.hset("model:clock", mapping={"s": self.now_ms // 1000, "us": self.now_ms % 1000 * 1000})

    def lapses(self, lease: str) -> None:
        """Let a lease lapse, as its TTL would."""
        self.client.delete(f"rc:lease:{lease}")

    def next_bell(self) -> str | None:
        """Take the oldest bell off the queue and return the id that it is for."""
        bell = self.client.lpop(QUEUE_LIST)
        return bell.rpartition("-")[0] if bell else None

    @contextmanager
    def repeating(self) -> Iterator[None]:
        """Have every script arrive twice: the reply to the first was lost."""
        self.line.repeats = True
        try:
            yield
        finally:
            self.line.repeats = False

    def replicate(self) -> None:
        """Let the replica catch up."""
        names = self.raw.keys("r*:*")
        with self.raw.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.dump(name)
            dumps = pipe.execute()
        self._replica = dict(zip(names, dumps, strict=True))

    def fail_over(self, back_ms: int) -> None:
        """Make the replica the primary: what it had not heard of never was, and its clock may be behind."""
        self.raw.flushdb()
        with self.raw.pipeline(transaction=False) as pipe:
            for name, dump in self._replica.items():
                pipe.restore(name, 0, dump)
            pipe.execute()
        self.passes(-back_ms)

    def memory(self) -> Memory:
        """Read everything that the invariants speak of, as of one moment."""
        kinds: dict[str, dict[str, Any]] = {}
        for kind, ident, value in json.loads(self.client.eval(_LOOK, 0, json.dumps(_KINDS)) or "[]"):
            read = pairs(value) if _KINDS[kind] == "HGETALL" else value
            kinds.setdefault(kind, {})[ident] = read
        return Memory(kinds)
