"""Hearing a notification: its episodes, what has to be decided about them, and the first doorbell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import orjson

from controller.ledger.connection import LedgerUnavailable, Scripts
from controller.ledger.doorbell import Doorbell
from controller.ledger.ids import new_id

CHUNK: Final = 100
"""At most so many alerts in one script: Redis hears nobody else meanwhile."""
CHUNK_BYTES: Final = 256 * 1024
"""And at most so much of their text, unless one alert alone has more."""
SERVICES: Final = 200
"""At most so many services are counted for the storm brake in one script."""
RUNG: Final = 5
"""So many chunks of one notification are rung for at once."""
APART_MS: Final = 250
"""Those after them are looked at so long one after another: about as fast as they are decided. The queue stays
short, and what matters more than a storm is not kept waiting behind all of it."""
WITHIN_S: Final = 6.0
"""Past this a notification is not gone on with: Alertmanager waits ten seconds at least, and sends it again."""


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """One alert as the ledger takes it: who it is, since when, and which rules it met.

    `labels_json` and `annotations_json` are stored as they are, for the worker that decides.
    """

    fingerprint: str
    firing: bool
    starts_at_ms: int
    labels_json: str
    annotations_json: str
    rule_digests: tuple[str, ...]
    other_digests: tuple[str, ...] = ()
    """Rules that it matches not, and that look at it all the same: another cause, a second signal, its kind."""
    services: tuple[str, ...] = ()
    """The services that it seems to be about, for the storm brake."""
    as_seen_ms: tuple[int, int] | tuple[()] = ()
    """Of a resolve that nobody sent: first and last hearing of the episode that is meant, and of no other."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some alerts as the script takes them, encoded once: without the labels for the look, with them to record.

    `begins` is the place of its first alert in the notification.
    """

    begins: int
    count: int
    look: bytes
    whole: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """One notification, in the order of its body, prepared: the same body is always the same value.

    Build it with `Heard.of`.
    """

    items: tuple[HeardAlert, ...]
    truncated: int
    receiver: str
    chunks: tuple[Chunk, ...]

    @classmethod
    def of(
        cls,
        items: Sequence[HeardAlert],
        *,
        truncated: int = 0,
        receiver: str = "",
    ) -> Heard:
        """Prepare a notification for the ledger."""
        return cls(tuple(items), truncated, receiver, tuple(_chunks(items)))


def _chunks(items: Sequence[HeardAlert]) -> Iterator[Chunk]:
    begins, text = 0, 0
    for at, item in enumerate(items):
        more = len(item.labels_json) + len(item.annotations_json)
        if at > begins and (at - begins == CHUNK or text + more > CHUNK_BYTES):
            yield _chunk(begins, items[begins:at])
            begins, text = at, 0
        text += more
    if items:
        yield _chunk(begins, items[begins:])


def _chunk(begins: int, items: Sequence[HeardAlert]) -> Chunk:
    rows = [
        (
            *(i.fingerprint, int(i.firing), i.starts_at_ms, i.rule_digests, i.other_digests, i.as_seen_ms),
            *(i.labels_json, i.annotations_json),
        )
        for i in items
    ]
    return Chunk(begins, len(rows), orjson.dumps([row[:6] for row in rows]), orjson.dumps(rows))


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a notification: durable when it is returned.

    `recorded` alerts were written, `known` needed no write, `stragglers` came after their own resolve,
    `closed` episodes ended, `asked` pairs of alert and rule are now waiting for a decision.
    """

    recorded: int = 0
    known: int = 0
    stragglers: int = 0
    closed: int = 0
    asked: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What one run of the script says of a chunk, from the item it began with to the last one it took."""

    counts: tuple[int, ...]
    begin: tuple[int, ...]
    taken: int

    @property
    def writes(self) -> int:
        return self.counts[0]

    @property
    def asks(self) -> bool:
        return self.counts[4] > 0


class Hearing:
    """Records notifications. One round trip for what is known already, two for what is new."""

    def __init__(
        self, scripts: Scripts, doorbell: Doorbell, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._scripts = scripts
        self._doorbell = doorbell
        self._clock = clock

    def hear(self, heard: Heard) -> Answer:
        """Record every alert of a notification; raises `LedgerUnavailable`, and then all may be sent again.

        Each alert is atomic, the notification need not be: its retry finds what is already there. All of it is
        looked at before any of it is recorded: the services troubled anew are known before the first bell.
        """
        until = self._clock() + WITHIN_S
        meta = orjson.dumps({"truncated": heard.truncated, "receiver": heard.receiver}).decode()
        looks = [list(self._peek(chunk, meta, until)) for chunk in heard.chunks]
        services = sorted(_troubled_anew(heard, looks)) if _asks(looks) else []
        while len(services) > SERVICES:
            self._run(until, "peek", "", b"[]", meta, services[:SERVICES], 1)
            services = services[SERVICES:]
        total = [0, 0, 0, 0, 0]
        turns = count(1 - RUNG)
        for chunk, look in zip(heard.chunks, looks, strict=True):
            found = look
            if any(part.writes for part in look):
                found = list(self._record(chunk, meta, services, until, turns if _asks([look]) else None))
                services = []
            for part in found:
                total = [a + b for a, b in zip(total, part.counts, strict=True)]
        return Answer(*total)

    def _peek(self, chunk: Chunk, meta: str, until: float) -> Iterator[_Look]:
        taken = 0
        while taken < chunk.count:
            look = self._run(until, "peek", "", chunk.look, meta, [], taken + 1)
            taken = look.taken
            yield look

    def _record(
        self, chunk: Chunk, meta: str, services: Sequence[str], until: float, turns: Iterator[int] | None
    ) -> Iterator[_Look]:
        taken = 0
        while taken < chunk.count:
            self._in_time(until)
            # Where nothing was to be asked when we looked, what is asked by now stands in `due`.
            wait_ms = None if turns is None else max(next(turns), 0) * APART_MS
            look = self._written(chunk, meta, services, taken + 1, wait_ms)
            services, taken = (), look.taken
            yield look

    def _written(self, chunk: Chunk, meta: str, services: Sequence[str], first: int, wait_ms: int | None) -> _Look:
        ident = new_id("n")

        def build(pipe: Any) -> None:
            words = (chunk.whole, meta, _json(services), first, wait_ms or 0)
            self._scripts.queue(pipe, "hear", "record", ident, *words)
            if wait_ms == 0:
                self._doorbell.ring(pipe, ident, 1)

        return _read(self._scripts.transact(build)[0])

    def _run(
        self, until: float, verb: str, ident: str, items: bytes, meta: str, services: Sequence[str], first: int
    ) -> _Look:
        self._in_time(until)
        return _read(self._scripts.run("hear", verb, ident, items, meta, _json(services), first, 0))

    def _in_time(self, until: float) -> None:
        if self._clock() > until:
            raise LedgerUnavailable(
                f"Redis takes more than {WITHIN_S:g} s for one notification; it is sent again, and what is "
                "recorded of it is known then. Look what keeps Redis: SLOWLOG GET, and its load."
            )


def _read(row: Sequence[Any]) -> _Look:
    return _Look(tuple(map(int, row[:5])), tuple(map(int, row[5])), int(row[6]))


def _json(names: Sequence[str]) -> bytes:
    return orjson.dumps(list(names))


def _asks(looks: Sequence[Sequence[_Look]]) -> bool:
    return any(part.asks for look in looks for part in look)


def _troubled_anew(heard: Heard, looks: Sequence[Sequence[_Look]]) -> set[str]:
    """Return the services of alerts that begin with this notification; those that only go on are no news."""
    return {
        service
        for chunk, look in zip(heard.chunks, looks, strict=True)
        for part in look
        for place in part.begin
        for service in heard.items[chunk.begins + place - 1].services
    }
