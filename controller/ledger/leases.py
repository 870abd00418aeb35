"""Leases: who executes now, with a fence that only grows. Every write a worker makes rests on one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from controller.ledger.connection import Scripts, pairs
from controller.ledger.episodes import Episode
from controller.ledger.records import FORMAT


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease, with all that is known of the thing it was taken for, read in the same script.

    `left` maps releases that this instance was rolled back from to when that was.
    """

    lease: str
    id: str
    token: str
    fence: int
    now_ms: int
    record: Mapping[str, str]
    journal: tuple[Mapping[str, object], ...]
    episodes: tuple[Episode, ...]
    book: str
    left: Mapping[str, int]
    unreadable: str = ""
    """What is wrong with a journal that cannot be read; it is empty then, and nobody may go by it."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else has the lease; their death rings for us, so there is nothing to wait for."""

    holder: str


@dataclass(frozen=True, slots=True)
class Newer(Busy):
    """A newer version wrote it, in a format that this one does not know; a worker of that version goes on."""


class Gone:
    """There is nothing left to do for this id."""


class Leases:
    """Takes, keeps and gives back leases."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def take(self, ident: str, *, holder: str, kind: str) -> Taken | Busy | Gone:
        """Take the lease for `ident` (`kind` "rollback" or "notification") as `holder`, "<job>:<nonce>".

        A rollback's lease is its instance's; a notification's is its own. Where nothing is left to do for
        the id, it is also taken off `due`. What a newer version wrote (`Newer`) is not touched, and stays due.
        """
        answer = self._scripts.run("take", ident, holder, kind, FORMAT)
        if answer[0] == "newer":
            return Newer(f"format {answer[1]}, where {FORMAT} is known here")
        if answer[0] == "gone":
            return Gone()
        if answer[0] == "busy":
            return Busy(answer[1])
        _, lease, token, fence, now, record, journal, episodes, book, left = answer
        entries, unreadable = _entries(journal)
        return Taken(
            lease=lease,
            id=ident,
            token=token,
            fence=int(fence),
            now_ms=int(now),
            record=pairs(record),
            journal=entries,
            episodes=tuple(Episode.of(fingerprint, pairs(raw)) for fingerprint, raw in episodes),
            book=book,
            left={release: int(at) if at.isdecimal() else int(now) for release, at in pairs(left).items()},
            unreadable=unreadable,
        )

    def renew(self, lease: str, token: str, ident: str) -> bool:
        """Keep the lease for another term; False means it is somebody else's now."""
        return bool(self._scripts.run("renew", lease, token, ident))

    def release(
        self, lease: str, token: str, ident: str, *, look_again_ms: int, awaiting: Iterable[str] = ()
    ) -> None:
        """Give the lease back without a change of state; whoever looks next finds things as they are.

        `awaiting` are the pairs of a notification that wait for a worker that knows their rule.
        """
        text = orjson.dumps(list(awaiting))
        self._scripts.run("release", lease, token, ident, look_again_ms, text)

    def raise_fence(self, lease: str, token: str, seen: int) -> tuple[str, int] | None:
        """Mint a fence above one that the target has seen; None means the lease is lost."""
        answer = self._scripts.run("raise", lease, token, seen)
        return (answer[0], int(answer[1])) if answer else None


def _entries(journal: list[str]) -> tuple[tuple[Mapping[str, object], ...], str]:
    """Return a journal's entries, or none and what is wrong with the first that is no entry."""
    read: list[Mapping[str, object]] = []
    for at, text in enumerate(journal, 1):
        try:
            entry = orjson.loads(text)
        except ValueError:
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
            return (), f"entry {at} of its journal is no entry of ours"
        read.append(entry)
    return tuple(read), ""
