"""What a look over an installation finds: each thing that is wrong comes with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is."""

    WELL = "well"
    WARNS = "warns"
    """Nothing is broken, and somebody should know of it."""
    WRONG = "wrong"
    """Something does not work, or will not when it is needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found, in a sentence. What is not well has a `fix`; raises `ValueError` without."""

    level: Level
    what: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.WELL and not self.fix:
            raise ValueError(f"nobody knows what to do about this: {self.what}")

    def written(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"level": self.level, "what": self.what, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Section:
    """What was found in one place."""

    title: str
    findings: tuple[Finding, ...]

    def written(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"title": self.title, "findings": [finding.written() for finding in self.findings]}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Section:
        """Read what `written` wrote; raises `KeyError` or `ValueError` for anything else."""
        entries: Iterable[Mapping[str, str]] = written["findings"]
        found = (Finding(Level(entry["level"]), entry["what"], entry["fix"]) for entry in entries)
        return cls(str(written["title"]), tuple(found))


def well(what: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(Level.WELL, what)


def warns(what: str, fix: str) -> Finding:
    """Say what somebody should know of."""
    return Finding(Level.WARNS, what, fix)


def wrong(what: str, fix: str) -> Finding:
    """Say what does not work."""
    return Finding(Level.WRONG, what, fix)


def from_message(level: Level, message: str, otherwise: str) -> Finding:
    """Make a finding of a message whose last sentence says what to do; `otherwise` where it has but one.

    Where that sentence only asks back, `otherwise` follows it.
    """
    what, between, fix = message.strip().rpartition(". ")
    if not between:
        return Finding(level, _ended(fix), otherwise)
    return Finding(level, f"{what}.", f"{fix} {otherwise}" if fix.endswith("?") else _ended(fix))


def counted(number: int, name: str, plural: str = "") -> str:
    """Write a number of things."""
    return f"{number} {name if number == 1 else plural or name + 's'}"


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
