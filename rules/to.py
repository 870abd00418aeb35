"""Where to go back to: the entries of a rule's `to`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Previous:
    """The newest release before the running one."""


@dataclass(frozen=True, slots=True)
class Version:
    """One release, by its name."""

    version: str


@dataclass(frozen=True, slots=True)
class SameAs:
    """The images that another workload of the service runs: the one whose pod template carries these labels."""

    labels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ScaleToZero:
    """No pods at all, until a person scales it up again."""


@dataclass(frozen=True, slots=True)
class LastKnownGood:
    """The newest release before the running one that is known to be good."""


@dataclass(frozen=True, slots=True)
class Stable:
    """What the service's `stable` pointer names, in the instance's environment."""


To: TypeAlias = LastKnownGood | Previous | Version | SameAs | Stable | ScaleToZero


def to_word(entry: To) -> str:
    """Return the word by which people and `Observation.offers` know an entry of `to`."""
    match entry:
        case Version():
            return entry.version
        case SameAs():
            return "same-as " + " ".join(f"{label}={'|'.join(values)}" for label, values in entry.labels.items())
        case ScaleToZero():
            return "scale-to-zero"
        case LastKnownGood():
            return "last-known-good"
        case Stable():
            return "stable"
        case _:
            return "previous"


def write_to(entry: To) -> str | dict[str, Any]:
    """Return an entry of `to` as a rule file and a record write it."""
    match entry:
        case Version():
            return {"version": entry.version}
        case SameAs():
            return {"same-as": {label: list(values) for label, values in entry.labels.items()}}
        case _:
            return to_word(entry)


def read_to(written: str | Mapping[str, Any]) -> To:
    """Read back what `write_to` wrote; raises ValueError for anything else."""
    match written:
        case "previous":
            return Previous()
        case "last-known-good":
            return LastKnownGood()
        case "stable":
            return Stable()
        case "scale-to-zero":
            return ScaleToZero()
        case {"version": str(version)}:
            return Version(version)
        case {"same-as": dict(labels)}:
            return SameAs({label: _values(values) for label, values in labels.items()})
        case _:
            raise ValueError(f"{written!r} is no entry of `to`")


def _values(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)
