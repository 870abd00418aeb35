"""What a guard says: whether an instance may be changed, the one reason, and the facts that it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason

if TYPE_CHECKING:
    from rules.facts import Case, Fact


class Verdict(StrEnum):
    """What a guard says, from the mildest to the strongest."""

    ALLOW = "allow"
    ASK = "ask"
    """A person decides."""
    WAIT = "wait"
    """Not yet: it goes on by itself, and nobody is told."""
    HOLD = "hold"
    """A person is told, and it is judged anew when the reason ends."""
    REFUSE = "refuse"
    """Final for this episode."""


@dataclass(frozen=True, slots=True)
class UsedFact:
    """A fact that an answer rests on, for people: its name, its value in words, its source, its age in seconds."""

    name: str
    value: str
    source: str = ""
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one guard says. `until_ms` is when its reason ends, where that is known."""

    guard: str
    verdict: Verdict
    reason: Reason = Reason.ALLOWED
    detail: str = ""
    facts: tuple[UsedFact, ...] = ()
    until_ms: int | None = None


Guard: TypeAlias = Callable[["Case"], Answer | None]
"""One guard; None where it has nothing to say in this case."""


def used(name: str, fact: Fact[object] | None, now_ms: int, words: str | None = None) -> UsedFact:
    """Write down a fact; unknown where it is None. `words` say the value in place of the value itself."""
    if fact is None:
        return UsedFact(name, "unknown")
    age_s = None if fact.at_ms is None else max(0.0, (now_ms - fact.at_ms) / 1000)
    return UsedFact(name, str(fact.value) if words is None else words, fact.source, age_s)
