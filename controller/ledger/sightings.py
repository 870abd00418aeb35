"""What workloads were seen to run while they were healthy: for each revision the digest of each image.

Tags move; what was seen is how a release is brought back to the very bits it was. Besides, how each cluster's
sweep went. All of it is overwritten by the next look, and any of it may be written twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, redis_now_ms, translated
from controller.ledger.keys import SWEEPS, TROUBLES, UNSEEN, key
from rules.entryseals import SEAL, is_sighting, seal_of_sighting
from rules.instances import read_instance
from rules.seals import Key

_UNSEEN_MOST = 50
_FORGOTTEN_S = 86_400
"""A cluster that nobody sweeps any more is taken out of the settings, and is not shown for longer."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One revision, as it was seen healthy. `digests` are by container.

    `uid` is of the workload: one that is made anew under the same name is another, with pods of its own.
    """

    uid: str
    hash: str
    digests: Mapping[str, str]
    version: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep over a cluster found.

    `looked_at` maps the instances that were looked at now to the mark under which they need no other look,
    `gone` names those that are no longer there. `moving` are workloads (by instance) with images whose tags move,
    a bounded number of `moving_in_all`.
    """

    workloads: int
    looked_at: Mapping[str, str] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    moving: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moving_in_all: int = 0


@dataclass(frozen=True, slots=True)
class Swept:
    """What is known of a cluster: its last whole sweep, and what went wrong since. Ages are in seconds."""

    cluster: str
    age_s: float | None
    """None before its first whole sweep."""
    workloads: int = 0
    moving: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moving_in_all: int = 0
    trouble: str = ""
    trouble_age_s: float | None = None
    """Since the trouble was last met; None where there is none."""


class Sightings:
    """Notes and tells what was seen."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def claim(self, cluster: str, for_s: float) -> bool:
        """Say whether the sweep of a cluster is ours for so long; another machine has it otherwise."""
        name, mine = key("sweeping", cluster), secrets.token_hex(8)
        with translated():
            taken = self._client.set(name, mine, nx=True, px=max(round(for_s * 1000), 1))
            return bool(taken) or self._client.get(name) == mine  # the reply to our first try was lost

    def note(
        self,
        instance: str,
        uid: str,
        revision: str,
        digests: Mapping[str, str],
        version: str,
        sealed_by: Key | None = None,
    ) -> None:
        """Note what a healthy revision, named by its hash, runs; replaces what was noted of it before."""
        named, seen = f"{uid}/{revision}", {"digests": dict(digests), "version": version}
        seal = {SEAL: seal_of_sighting(instance, named, seen, sealed_by)} if sealed_by else {}
        self._scripts.run("sight", instance, named, orjson.dumps({**seen, **seal}, option=orjson.OPT_SORT_KEYS))

    def seen(self, instance: str, keys: Sequence[Key] = ()) -> tuple[Sighting, ...]:
        """Return what was noted of one instance, the newest first; with `keys` only what one of them sealed."""
        with translated():
            kept = self._client.hgetall(key("sightings", instance))
        by_name = {one.name: one for one in keys}
        read = ((named, *text.partition(" ")[::2]) for named, text in kept.items())
        found = [(named, int(at_ms), orjson.loads(text)) for named, at_ms, text in read]
        believed = [one for one in found if not keys or is_sighting(instance, one[0], one[2], by_name)]
        return tuple(sorted((_sighting(*one) for one in believed), key=lambda one: one.at_ms, reverse=True))

    def digests(self, instance: str, keys: Sequence[Key] = ()) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """Return the digests of one instance: uid → revision hash → container → digest; `keys` as for `seen`.

        They are written into pod templates, so where there is a key nobody's word counts but a worker's.
        """
        found: dict[str, dict[str, Mapping[str, str]]] = {}
        for sighting in self.seen(instance, keys):
            found.setdefault(sighting.uid, {})[sighting.hash] = sighting.digests
        return found

    def looked_at(self, cluster: str) -> Mapping[str, str]:
        """Return the mark of each instance that needs no look for as long as it stays the same."""
        with translated():
            return dict(self._client.hgetall(key("looked-at", cluster)))

    def swept(self, cluster: str, sweep: Sweep) -> None:
        """Write down a whole sweep. What it says of tags replaces what the one before said."""
        told = {"workloads": sweep.workloads, "moving": dict(sweep.moving), "moving_in_all": sweep.moving_in_all}
        marks = key("looked-at", cluster)
        with translated(), self._client.pipeline(transaction=True) as pipe:
            if sweep.looked_at:
                pipe.hset(marks, mapping=dict(sweep.looked_at))
            if sweep.gone:
                pipe.hdel(marks, *sweep.gone)
            pipe.expire(marks, _FORGOTTEN_S)
            self._write(pipe, SWEEPS, cluster, told)
            pipe.hdel(TROUBLES, cluster)
            pipe.execute()

    def troubled(self, cluster: str, trouble: str) -> None:
        """Write down why a cluster could not be swept; the last whole sweep stays known."""
        with translated(), self._client.pipeline(transaction=True) as pipe:
            self._write(pipe, TROUBLES, cluster, trouble)
            pipe.execute()

    def unseen(self, place: str, troubles: Mapping[str, str]) -> None:
        """Write down which instances of an inventory could not be looked at, and why; replaces what was said."""
        told = dict(sorted(troubles.items())[:_UNSEEN_MOST])
        with translated(), self._client.pipeline(transaction=True) as pipe:
            self._write(pipe, UNSEEN, place, [len(troubles), told])
            pipe.execute()

    def not_seen(self) -> tuple[str, ...]:
        """Say of each instance on a host that could not be looked at why, for people."""
        with translated():
            kept = self._client.hgetall(UNSEEN)
        said: list[str] = []
        for _, (in_all, told) in _fresh(kept, redis_now_ms(self._client)).values():
            said += [
                f"{read_instance(instance).label} cannot be observed: {why}" for instance, why in told.items()
            ]
            said += [f"and {in_all - len(told)} more cannot be observed"] if in_all > len(told) else []
        return tuple(said)

    def sweeps(self) -> tuple[Swept, ...]:
        """Return what is known of each cluster that was swept, or tried, within a day."""
        now_ms = redis_now_ms(self._client)
        with translated():
            whole = _fresh(self._client.hgetall(SWEEPS), now_ms)
            troubles = _fresh(self._client.hgetall(TROUBLES), now_ms)
        return tuple(_swept(name, whole.get(name), troubles.get(name)) for name in sorted({*whole, *troubles}))

    def _write(self, pipe: Any, where: str, cluster: str, what: object) -> None:
        pipe.hset(where, cluster, b"%d " % redis_now_ms(self._client) + orjson.dumps(what))


def _sighting(named: str, at_ms: int, seen: Mapping[str, Any]) -> Sighting:
    uid, _, revision = named.rpartition("/")
    return Sighting(uid, revision, seen["digests"], seen["version"], at_ms)


def _fresh(kept: Mapping[str, str], now_ms: int) -> dict[str, tuple[float, Any]]:
    """Read each cluster's age and text, without those that are long gone."""
    parts = ((cluster, *text.partition(" ")[::2]) for cluster, text in kept.items())
    read = {cluster: ((now_ms - int(at_ms)) / 1000, orjson.loads(text)) for cluster, at_ms, text in parts}
    return {cluster: found for cluster, found in read.items() if found[0] < _FORGOTTEN_S}


def _swept(cluster: str, whole: tuple[float, Any] | None, trouble: tuple[float, Any] | None) -> Swept:
    since, said = trouble or (None, "")
    if whole is None:
        return Swept(cluster, None, trouble=said, trouble_age_s=since)
    age_s, told = whole
    moving = {instance: tuple(images) for instance, images in told["moving"].items()}
    return Swept(cluster, age_s, told["workloads"], moving, told["moving_in_all"], said, since)
