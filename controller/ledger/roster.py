"""The roster: every instance as it was last seen, when its release came, and since when that has been good.

An arrival is an interval: after the last look without it, and no later than the target itself says or it was first
seen. Everything is bounded: who is not seen for a day is no longer counted, and the last arrivals are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.ids import effect_of
from controller.ledger.keys import key
from rules.facts import Arrival, Hand

_CHUNK = 100
"""So many instances are written by one script: Redis answers nobody else meanwhile."""
_SERVICE_MOST = 5_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Look:
    """One instance as it was just seen.

    `pin` tells its arrival from others (`Observation.arrival`), `arrived` when it came as the target tells.
    `place` is the cluster or inventory. `bits` are equal for releases that are the same, empty where that is not
    known. `earlier` are releases it is known to have run before, newest first; written down on first sight only.
    `scraped` is None where nobody can tell.
    """

    instance: str
    service: str
    environment: str
    place: str
    names: tuple[str, ...]
    pin: str
    arrived: Arrival | None = None
    healthy: bool | None = None
    scraped: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    platform: str = ""
    content: str = ""
    bits: str = ""
    targets: tuple[str, ...] = ()
    earlier: tuple[PastArrival, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An instance that is as it was when it was last looked at, its health too."""

    instance: str
    scraped: bool | None = None


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One instance as it was last seen. `names` are all words for its release, that release's name first.

    `good_since_ms`: since when it has been healthy, scraped and without a matched alert under this arrival.
    `targets` are what its metrics may be labelled with as `instance` or `pod`.
    """

    instance: str
    service: str
    environment: str
    cluster: str
    names: tuple[str, ...]
    pin: str
    arrival: Arrival
    healthy: bool | None
    scraped: bool | None
    labels: Mapping[str, str]
    seen_ms: int
    good_since_ms: int | None
    platform: str = ""
    content: str = ""
    place: str = ""
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PastArrival:
    """One coming of a release to an instance. `seen_ms` is when it was noted, 0 for what the target told."""

    pin: str
    release: str
    arrival: Arrival
    seen_ms: int = 0


class Roster:
    """Writes down and tells what was seen of instances."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def seen(self, looks: Iterable[Look | Unchanged], *, good_after_s: float = 86_400.0) -> tuple[str, ...]:
        """Write down looks; returns whose release has been good for so long, until it is vouched for.

        An `Unchanged` of which nothing is known is passed over.
        """
        ripe: list[str] = []
        for chunk in _chunks(looks):
            items = orjson.dumps([_item(one) for one in chunk])
            ripe += self._scripts.run("roster", items, round(good_after_s * 1000))
        return tuple(ripe)

    def vouched(self, instance: str) -> None:
        """Note that what was thought of the present release is written in the catalogue."""
        k = key("roster", instance)
        with translated():
            if self._client.exists(k):
                self._client.hset(k, "vouched", "1")

    def get(self, instance: str) -> RosterEntry | None:
        """Read one instance; None where it was not seen for a day."""
        return next(iter(self._read([instance])), None)

    def of_service(self, service: str, environment: str) -> tuple[RosterEntry, ...]:
        """Read the instances of a service in one environment, by their names."""
        with translated():
            found = self._client.zrange(key("instances", _index(service, environment)), 0, _SERVICE_MOST - 1)
        return tuple(self._read(sorted(found)))

    def known_in(self, place: str) -> frozenset[str]:
        """Return the instances of a cluster or inventory that were seen within a day."""
        with translated():
            return frozenset(self._client.zrange(key("instances-in", place), 0, -1))

    def all_in(self, place: str) -> Iterator[RosterEntry]:
        """Read the instances of a cluster or inventory, a hundred at a time."""
        yield from self._read(sorted(self.known_in(place)))

    def gone(self, place: str, instances: Iterable[str]) -> None:
        """Strike off instances that are no longer there; their arrivals stay known."""
        for chunk in _chunks(instances):
            with translated(), self._client.pipeline(transaction=True) as pipe:
                for instance in chunk:
                    pipe.delete(key("roster", instance))
                    pipe.zrem(key("instances-in", place), instance)
                pipe.execute()

    def arrivals(self, instance: str) -> tuple[PastArrival, ...]:
        """Return the last arrivals of an instance, newest first."""
        with translated():
            kept = self._client.lrange(key("arrivals", instance), 0, -1)
        return tuple(_past(orjson.loads(text)) for text in kept)

    def _read(self, instances: Sequence[str]) -> Iterator[RosterEntry]:
        for chunk in _chunks(instances):
            with translated(), self._client.pipeline(transaction=False) as pipe:
                for instance in chunk:
                    pipe.hgetall(key("roster", instance))
                found = pipe.execute()
            for instance, raw in zip(chunk, found, strict=True):
                if raw.get("pin"):
                    yield _entry(instance, raw)


def _chunks(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    left = iter(items)
    while chunk := tuple(islice(left, _CHUNK)):
        yield chunk


def _item(one: Look | Unchanged) -> list[Any]:
    if isinstance(one, Unchanged):
        head = [one.instance, "", "", "", "", "", "", "", ""]
        return [*head, "", _flag(one.scraped), "", "", "", []]
    came = one.arrived
    by, after = (
        ("", "") if came is None else (str(came.by_ms), "" if came.after_ms is None else str(came.after_ms))
    )
    hand, who = (Hand.DEPLOY, "") if came is None else (came.hand, came.who)
    told = {
        "service": one.service,
        "environment": one.environment,
        "cluster": one.cluster,
        "names": one.names,
        "labels": dict(one.labels),
        "platform": one.platform,
        "content": one.content,
        "targets": one.targets,
    }
    return [
        *(one.instance, one.pin, effect_of(one.instance, one.pin), orjson.dumps(told).decode(), one.bits),
        *(by, after, str(hand), who, _flag(one.healthy), _flag(one.scraped)),
        *(_index(one.service, one.environment), one.place, one.names[0] if one.names else ""),
        [_written(past) for past in one.earlier],
    ]


def _index(service: str, environment: str) -> str:
    """Name a service in one environment; any text may stand in either."""
    return orjson.dumps([service, environment]).decode()


def _entry(instance: str, raw: Mapping[str, str]) -> RosterEntry:
    told = orjson.loads(raw["told"])
    return RosterEntry(
        instance=instance,
        service=told["service"],
        environment=told["environment"],
        cluster=told["cluster"],
        names=tuple(told["names"]),
        pin=raw["pin"],
        arrival=Arrival(int(raw["by"]), _number(raw["after"]), Hand(raw["hand"]), raw["who"]),
        healthy=_FLAGS[raw["healthy"]],
        scraped=_FLAGS[raw["scraped"]],
        labels=told["labels"],
        seen_ms=int(raw["seen"]),
        good_since_ms=_number(raw["good_since"]),
        platform=told["platform"],
        content=told["content"],
        place=raw["place"],
        targets=tuple(told["targets"]),
    )


def _written(past: PastArrival) -> str:
    came = past.arrival
    told = {"pin": past.pin, "release": past.release, "by": came.by_ms, "after": came.after_ms}
    told |= {"hand": str(came.hand), "who": came.who, "at": past.seen_ms}
    return orjson.dumps({name: value for name, value in told.items() if value is not None}).decode()


def _past(told: Mapping[str, Any]) -> PastArrival:
    after = told.get("after")
    arrival = Arrival(int(told["by"]), None if after is None else int(after), Hand(told["hand"]), told["who"])
    return PastArrival(told["pin"], told["release"], arrival, int(told["at"]))


_FLAGS = {"1": True, "0": False, "": None}


def _flag(value: bool | None) -> str:  # noqa: FBT001 - what is told, and no switch
    return "" if value is None else str(int(value))


def _number(text: str) -> int | None:
    return int(text) if text else None
