"""Hearing a notification: its episodes, what has to be decided about them, and the first doorbell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from controller.ledger.connection import Scripts
from controller.ledger.doorbell import Doorbell
from controller.ledger.ids import new_id

CHUNK = 500
"""At most so many alerts in one script: 500 keep Redis deaf for 6 ms, 20,000 for 181 ms (measured)."""


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


@dataclass(frozen=True, slots=True)
class Heard:
    """One notification, in the order of its body, prepared: the same body is always the same value.

    `chunks` is what the script takes, encoded once: without the labels for the look, with them for the record.
    Build it with `Heard.of`.
    """

    items: tuple[HeardAlert, ...]
    truncated: int
    receiver: str
    chunks: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(
        cls,
        items: Sequence[HeardAlert],
        *,
        truncated: int = 0,
        receiver: str = "",
    ) -> Heard:
        """Prepare a notification for the ledger."""
        rows = [
            (
                *(i.fingerprint, int(i.firing), i.starts_at_ms, i.rule_digests, i.other_digests),
                *(i.labels_json, i.annotations_json),
            )
            for i in items
        ]
        chunks = tuple(
            (orjson.dumps([row[:5] for row in chunk]), orjson.dumps(chunk))
            for chunk in (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
        )
        return cls(tuple(items), truncated, receiver, chunks)


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


class Hearing:
    """Records notifications. One round trip for what is known already, two for what is new."""

    def __init__(self, scripts: Scripts, doorbell: Doorbell) -> None:
        self._scripts = scripts
        self._doorbell = doorbell

    def hear(self, heard: Heard) -> Answer:
        """Record every alert of a notification; raises `LedgerUnavailable`, and then all may be sent again.

        Each alert is atomic, the notification need not be: its retry finds what is already there. All of it is
        looked at before any of it is recorded: the services troubled anew are known with the first bell.
        """
        meta = orjson.dumps({"truncated": heard.truncated, "receiver": heard.receiver}).decode()
        looks = [self._scripts.run("hear", "peek", "", look, meta, "[]") for look, _ in heard.chunks]
        services = orjson.dumps(sorted(_troubled_anew(heard, looks)))
        total = [0, 0, 0, 0, 0]
        for (_, whole), look in zip(heard.chunks, looks, strict=True):
            row = self._record(whole, meta, services, ring=look[4] > 0) if look[0] else look
            total = [a + int(b) for a, b in zip(total, row[:5], strict=True)]
        return Answer(*total)

    def _record(self, chunk: bytes, meta: str, services: bytes, *, ring: bool) -> list[Any]:
        ident = new_id("n")

        def build(pipe: Any) -> None:
            self._scripts.queue(pipe, "hear", "record", ident, chunk, meta, services)
            if ring:  # else nothing was to be asked when we looked; what is asked by now stands in `due`
                self._doorbell.ring(pipe, ident, 1)

        result: list[Any] = self._scripts.transact(build)[0]
        return result


def _troubled_anew(heard: Heard, looks: Sequence[Sequence[Any]]) -> set[str]:
    """Return the services of alerts that begin with this notification; those that only go on are no news."""
    return {
        service
        for at, look in enumerate(looks)
        for place in look[5]
        for service in heard.items[at * CHUNK + int(place) - 1].services
    }
