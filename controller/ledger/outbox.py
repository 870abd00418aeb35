"""The outbox: what people are told, kept until each channel has it. At least once; nothing is lost in silence.

A message is put, given to channels by a teller (only it knows the settings' channels), and tried for each channel
on its own: pauses of 5 s, doubling to 15 min, for three days. A teller that dies leaves its claim of a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.keys import CHANNELS, LOST, MESSAGES, OUTBOX, TOLD, UNDELIVERED, key
from controller.ledger.records import iso
from rules.telling import Kind, Message

_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that is ours to tell for a minute. `parts` of the channel have it already."""

    id: str
    channel: str
    message: Message
    at_ms: int
    tries: int = 0
    parts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Untold:
    """What became of a try: how many there were, when the next one is, and since when it waits."""

    tries: int
    retry_in_s: float
    age_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that a channel has not got; `channel` is empty while no teller has looked at it.

    `gave_up`: it is tried no more. `error` is that of the last try.
    """

    id: str
    channel: str
    kind: str
    title: str
    at_ms: int
    tries: int = 0
    error: str = ""
    gave_up: bool = False

    def public(self) -> dict[str, Any]:
        """Return what the API shows."""
        return {**asdict(self), "at": iso(self.at_ms)}


@dataclass(frozen=True, slots=True)
class Told:
    """A message with what became of it, by channel: `sent`, `waiting`, `given-up`, `lost`. `nobody` was there."""

    id: str
    message: Message
    at_ms: int
    channels: Mapping[str, str] = field(default_factory=dict)
    nobody: bool = False

    def public(self) -> dict[str, Any]:
        """Return what the API shows."""
        shown = {"id": self.id, "at": iso(self.at_ms), "channels": dict(self.channels), "nobody": self.nobody}
        return {**asdict(self.message), **shown}


@dataclass(frozen=True, slots=True)
class Telling:
    """Numbers by channel, for metrics and status; those that wait now, the others since this ledger began."""

    waiting: Mapping[str, int] = field(default_factory=dict)
    sent: Mapping[str, int] = field(default_factory=dict)
    given_up: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    nobody: int = 0
    """Messages that there was no channel for."""


class Outbox:
    """Messages on their way to people."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def put(self, message: Message, key: str) -> str:
        """Put a message; durable when it returns. The same `key` within seven days says nothing new.

        Returns its id, or that of the earlier one.
        """
        return str(self._scripts.run("tell", key, written(message)))

    def take(self, limit: int, channel: str = "") -> tuple[Taken, ...]:
        """Claim messages that are due for a channel; without one, those that must still be given to channels."""
        found = self._scripts.run("fetch", channel, limit)
        return tuple(
            Taken(ident, channel, _message(text), int(at_ms), int(tries), frozenset(parts.split()))
            for ident, text, at_ms, tries, parts in found
        )

    def route(self, ident: str, channels: Iterable[str]) -> None:
        """Give a message to channels; none: it is noted that there was nobody to tell."""
        self._scripts.run("route", ident, *channels)

    def sent(self, taken: Taken, receipt: str) -> int:
        """Note that its channel has it. Returns how many messages the channel has lost and was not told of."""
        return int(self._scripts.run("told", taken.id, taken.channel, receipt))

    def told_of_lost(self, channel: str, count: int) -> None:
        """Note that a channel was told how many it lost."""
        with translated():
            self._client.hincrby(LOST, channel, -count)

    def failed(self, taken: Taken, error: str, parts: Iterable[str] = ()) -> Untold | None:
        """Note a try that failed; `parts` of the channel have the message none the less.

        None where it is no longer waited for: it was crowded out, or given up.
        """
        answer = self._scripts.run("untold", taken.id, taken.channel, error, " ".join(sorted(parts)))
        return Untold(int(answer[0]), int(answer[1]) / 1000, int(answer[2]) / 1000) if answer else None

    def give_up(self) -> tuple[tuple[str, str], ...]:
        """Stop trying what waits for three days; returns (id, channel) of each. It stays in `waiting`."""
        return tuple((ident, channel) for ident, channel in self._scripts.run("giveup"))

    def waiting(self, limit: int = _AT_MOST) -> tuple[Waiting, ...]:
        """Return what has not reached its channel, the oldest first, given-up messages included."""
        with translated():
            channels = ["", *sorted(self._client.smembers(CHANNELS))]
            found = [(name, ident) for name in channels for ident in self._client.zrange(_queue(name), 0, -1)]
            gone = [tuple(entry.split(" ", 1)[::-1]) for entry in self._client.zrange(UNDELIVERED, 0, -1)]
        picked = sorted([*found, *gone], key=lambda pair: pair[1])[:limit]
        kept = self._read({ident for _, ident in picked})
        given_up = set(gone)
        return tuple(
            _waiting(channel, ident, kept[ident], gave_up=(channel, ident) in given_up)
            for channel, ident in picked
            if kept[ident]
        )

    def recent(self, limit: int) -> tuple[Told, ...]:
        """Return the newest messages with what became of them, the newest first."""
        with translated():
            idents = self._client.zrevrange(MESSAGES, 0, limit - 1)
        kept = self._read(set(idents))
        return tuple(_told(ident, kept[ident]) for ident in idents if kept[ident])

    def counts(self) -> Telling:
        """Count what waits and what became of the rest."""
        with translated():
            channels = sorted(self._client.smembers(CHANNELS))
            with self._client.pipeline(transaction=False) as pipe:
                for name in ("", *channels):
                    pipe.zcard(_queue(name))
                pipe.hgetall(TOLD)
                *sizes, totals = pipe.execute()
        by = {what: _totals(totals, what) for what in ("sent", "gave-up", "lost")}
        waiting = {name: int(size) for name, size in zip(("", *channels), sizes, strict=True) if size or name}
        return Telling(waiting, by["sent"], by["gave-up"], by["lost"], int(totals.get("nobody ", 0)))

    def _read(self, idents: set[str]) -> dict[str, dict[str, str]]:
        ordered = sorted(idents)
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for ident in ordered:
                pipe.hgetall(key("message", ident))
            return dict(zip(ordered, pipe.execute(), strict=True))


def written(message: Message) -> str:
    """Write a message as the scripts' `tell` takes it."""
    return orjson.dumps(asdict(message)).decode()


def _message(text: str) -> Message:
    raw = orjson.loads(text)
    channels = tuple(raw.pop("channels") or ())  # Lua writes an empty list as an empty mapping
    return Message(Kind(raw.pop("kind")), channels=channels, **raw)


def _queue(channel: str) -> str:
    return key("outbox", channel) if channel else OUTBOX


def _totals(totals: Mapping[str, str], what: str) -> dict[str, int]:
    return {name.split(" ", 1)[1]: int(n) for name, n in totals.items() if name.startswith(f"{what} ")}


def _waiting(channel: str, ident: str, raw: Mapping[str, str], *, gave_up: bool) -> Waiting:
    message = _message(raw["message"])
    tries, error = int(raw.get(f"tries {channel}") or 0), raw.get(f"error {channel}", "")
    return Waiting(ident, channel, message.kind, message.title, int(raw["at"]), tries, error, gave_up)


def _told(ident: str, raw: Mapping[str, str]) -> Told:
    became = {"tries": "waiting", "lost": "lost", "gave-up": "given-up", "sent": "sent"}  # the later wins
    channels: dict[str, str] = {}
    for what, word in became.items():
        for name in raw:
            if name.startswith(f"{what} "):
                channels[name.split(" ", 1)[1]] = word
    return Told(ident, _message(raw["message"]), int(raw["at"]), channels, nobody="nobody" in raw)
