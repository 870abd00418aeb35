"""`rollbackctl history --verify`: whether what is remembered of rollbacks is what was written.

All sums are computed here, from what the server says is stored, and with our own copy of the key: a server that
was tampered with cannot vouch for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from rules.seals import Seal, Stored, chain_fault, seal_fault, sum_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from controller.cli.api import Api
    from rules.seals import Key

Verdict = Literal["whole", "unchecked", "not-sealed", "broken"]

_AT_ONCE = 50
_MOST_KEPT = 10_000
_SEALED_WITHIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Walked:
    """Everything that a server says is stored: rollbacks, the number of the newest seal, whether it seals."""

    rollbacks: tuple[tuple[Stored, Mapping[str, str]], ...]
    newest: int
    sealing: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one rollback, or (with an empty id) of one that should be there."""

    id: str
    service: str
    instance: str
    state: str
    number: int | None
    verdict: Verdict
    why: str

    def public(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


def walk(server: Api) -> Walked:
    """Read everything that is stored, in so many requests."""
    listed = server.get("audit")
    ids = [str(ident) for ident in listed["ids"]]
    found = []
    for at in range(0, len(ids), _AT_ONCE):
        answer = server.get("audit/rollbacks", ids=",".join(ids[at : at + _AT_ONCE]))
        found += [_stored(shown) for shown in answer["rollbacks"] if shown["texts"] or shown["sums"]]
    return Walked(tuple(found), int(listed["newest"]), bool(listed["sealing"]))


def _stored(shown: Mapping[str, Any]) -> tuple[Stored, Mapping[str, str]]:
    texts = {str(name): str(text) for name, text in shown["texts"].items()}
    sums = {str(name): str(whole) for name, whole in shown["sums"].items()}
    fields = sums | {name: sum_of(text) for name, text in texts.items()}
    journal = [sum_of(entry["text"]) if "text" in entry else str(entry["sum"]) for entry in shown["journal"]]
    head, seal = texts.get("journal_head", ""), str(shown["seal"])
    return Stored(str(shown["id"]), fields, journal, head, seal), texts


def check(walked: Walked, keys: Sequence[Key]) -> list[Checked]:
    """Judge everything; without `keys` only the chains of the journals are."""
    by_name = {key.name: key for key in keys}
    seals = {stored.id: seal for stored, _ in walked.rollbacks if (seal := Seal.read(stored.seal))}
    trusted = {
        stored.id: seals[stored.id]
        for stored, _ in walked.rollbacks
        if stored.id in seals and (not keys or seal_fault(stored, seals[stored.id], by_name) is None)
    }
    twice = _twice(trusted)
    found = []
    for stored, texts in walked.rollbacks:
        seal = seals.get(stored.id)
        verdict, why = (
            _judge(stored, texts, seal, by_name)
            if seal or stored.seal
            else _unsealed(stored, texts, list(trusted.values()), sealing=walked.sealing)
        )
        if stored.id in twice and verdict != "broken":
            verdict, why = "broken", f"another rollback bears the same number: {twice[stored.id]}"
        number = seal.number if seal else None
        said = texts.get("service", ""), texts.get("instance", ""), texts.get("state", "")
        found.append(Checked(stored.id, *said, number, verdict, why))
    return [*found, *_gone(walked.newest, (seal.number for seal in seals.values()))]


def _judge(
    stored: Stored, texts: Mapping[str, str], seal: Seal | None, keys: Mapping[str, Key]
) -> tuple[Verdict, str]:
    if seal is None:
        return "broken", "what stands as its seal is none"
    fault = (seal_fault(stored, seal, keys) if keys else None) or chain_fault(stored)
    if fault:
        return "broken", fault
    if texts.get("state") != "ended":
        return "broken", "it bears a seal and has not ended"
    return ("whole", "") if keys else ("unchecked", "sealed; no key to check it with")


def _unsealed(
    stored: Stored, texts: Mapping[str, str], seals: Sequence[Seal], *, sealing: bool
) -> tuple[Verdict, str]:
    if fault := chain_fault(stored):
        return "broken", fault
    if texts.get("state") != "ended":
        return "not-sealed", "it has not ended"
    ended = texts.get("ended_at", "")
    times = [seal.at_ms for seal in seals]
    if times and ended.isdecimal() and min(times) < int(ended) < max(times) - _SEALED_WITHIN_MS:
        return "broken", "it ended while others were sealed, and bears no seal"
    if not sealing:
        return "not-sealed", "the settings of the server name no audit.key-file"
    return "not-sealed", "what ends is sealed within seconds: look for seals.key_unusable in the workers' log"


def _twice(seals: Mapping[str, Seal]) -> dict[str, int]:
    bearers: dict[int, list[str]] = {}
    for ident, seal in seals.items():
        bearers.setdefault(seal.number, []).append(ident)
    return {ident: number for number, ids in bearers.items() if len(ids) > 1 for ident in ids}


def _gone(newest: int, numbers: Iterable[int]) -> Iterator[Checked]:
    """Tell of numbers between the oldest seal that is kept and the newest: whole rollbacks are missing.

    A number that a broken seal claims is told of there, once.
    """
    there = sorted({number for number in numbers if newest - _MOST_KEPT < number <= newest})
    for before, after in pairwise([*there, newest + 1] if there or not newest else [newest - 1, newest + 1]):
        if after - before > 1:
            first, last = before + 1, after - 1
            which = f"seal number {first}" if first == last else f"seals number {first} to {last}"
            what = "the rollback is" if first == last else "the rollbacks are"
            yield Checked("", "", "", "", first, "broken", f"{which}: {what} no longer there")
