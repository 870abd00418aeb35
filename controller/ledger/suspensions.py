"""The GitOps owners that rollbacks have paused: which, for which instance, and what they wait for.

The truth is the annotation on the owner; this is the list of where to look. The observer's sweep goes through it,
resumes what may go on, and writes down why the rest may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.keys import SUSPENDED


@dataclass(frozen=True, slots=True)
class Suspension:
    """One owner, paused for one instance. Several instances of one owner are several of these.

    `owner` is `CLUSTER/KIND/NAMESPACE/NAME`, what a person names it by. `bad` is the release that was gone back
    from, `annotation` the name of the one on the owner that says all this there. `says` is why it is still paused,
    as of the last look; empty before the first. `asked_by` is the person who wants it resumed; the next look does.
    """

    instance: str
    owner: str
    kind: str
    namespace: str
    name: str
    path: str
    uid: str
    rollback: str
    bad: str
    since: str
    annotation: str
    age_s: float
    says: str = ""
    asked_by: str = ""

    @property
    def cluster(self) -> str:
        """The cluster that the owner is in."""
        return self.owner.partition("/")[0]

    def public(self) -> dict[str, Any]:
        """Return it as JSON-able words, for people."""
        words = ("owner", "instance", "kind", "rollback", "bad", "since", "annotation", "says", "asked_by")
        return {word: getattr(self, word) for word in words}


class Suspensions:
    """Notes and tells what is paused.

    `list()` is for `status`; `ask_resume(owner, by)` is a person's word that an owner shall go on. It is done by
    the next sweep of that cluster, not at once: the entry is gone from `list()` when it was.
    """

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def note(self, instance: str, entry: Mapping[str, Any]) -> None:
        """Note, before it is done, that an owner is paused for an instance; a worker's. Twice is no harm."""
        self._do("note", instance=instance, rollback=entry["rollback"], entry=dict(entry))

    def say(self, instance: str, rollback: str, says: str) -> None:
        """Write down why it is still paused."""
        self._do("say", instance=instance, rollback=rollback, says=says)

    def forget(self, instance: str, rollback: str) -> None:
        """Take it off the list: it is not paused by this rollback any more."""
        self._do("forget", instance=instance, rollback=rollback)

    def ask_resume(self, owner: str, by: str) -> bool:
        """Ask that an owner goes on whatever Git says, for every instance; False where we have not paused it."""
        return bool(self._do("ask", owner=owner, by=by))

    def list(self) -> tuple[Suspension, ...]:
        """Return what is paused, by owner and instance."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(SUSPENDED)
            (seconds, micros), kept = pipe.execute()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        found = (_suspension(instance, orjson.loads(text), now_ms) for instance, text in kept.items())
        return tuple(sorted(found, key=lambda one: (one.owner, one.instance)))

    def _do(self, verb: str, **asked: Any) -> int:
        return int(self._scripts.run("suspend", verb, orjson.dumps(asked)))


def _suspension(instance: str, entry: dict[str, Any], now_ms: int) -> Suspension:
    age_s = (now_ms - float(entry.pop("noted_ms", now_ms))) / 1000
    known = {name: value for name, value in entry.items() if name in Suspension.__slots__}
    return Suspension(instance=instance, age_s=age_s, **known)
