"""Which release an instance goes back to: each candidate kept or dropped, with its reason.

Two releases are never chosen for a rule: the one that runs, and one this instance was just rolled back from.
`previous` is never newer than what runs. The same facts always give the same choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason
from rules.rule import Previous, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.observations import Observation, ReleaseSeen

_Rank: TypeAlias = tuple[tuple[bool, int, str], ...]
_Drop: TypeAlias = tuple[Reason, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One release that was considered. `detail` tells a person what to do about it."""

    release: str
    kept: bool
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that was considered, in order of preference. The first that was kept is chosen."""

    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> str | None:
        """The release to go back to, or None: then nothing is changed and a person is told."""
        return next((candidate.release for candidate in self.candidates if candidate.kept), None)


def choose(
    to: Sequence[Previous | Version],
    observation: Observation,
    left: frozenset[str],
    *,
    override: bool = False,
) -> Choice:
    """Consider the entries of `to` in order; the first with a candidate decides, later ones are not looked at.

    `left` names the releases this instance was just rolled back from. `override` is a person's word: a release
    that is called by its name may then be one of them; nothing else is waived.
    """
    considered: list[Candidate] = []
    for entry in to:
        if isinstance(entry, Version):
            found = [_named(entry.version, observation, frozenset() if override else left)]
        else:
            found = _previous(observation, left)
        considered += found
        if any(candidate.kept for candidate in found):
            break
    return Choice(tuple(considered))


def _named(name: str, observation: Observation, left: frozenset[str]) -> Candidate:
    release = next((release for release in observation.releases if release.name == name), None)
    if release is None:
        return Candidate(name, kept=False, reason=Reason.RELEASE_MISSING, detail=_missing(name, observation))
    return _judged(release, _running(release, observation) or _unfit(release, left), f"{name} is named by `to`")


def _previous(observation: Observation, left: frozenset[str]) -> list[Candidate]:
    """Judge every release on the target, newest first."""
    ordered = sorted(observation.releases, key=lambda release: (_rank(release), release.name), reverse=True)
    running = next((release for release in ordered if release.name == observation.running), None)
    return [
        _judged(
            release,
            _running(release, observation) or _not_older(release, running, observation) or _unfit(release, left),
            f"{release.name} is older than {observation.running} and whole",
        )
        for release in ordered
    ]


def _judged(release: ReleaseSeen, drop: _Drop | None, allowed: str) -> Candidate:
    reason, detail = drop or (Reason.ALLOWED, allowed)
    return Candidate(release.name, kept=drop is None, reason=reason, detail=detail)


def _running(release: ReleaseSeen, observation: Observation) -> _Drop | None:
    if release.name != observation.running:
        return None
    return Reason.RELEASE_CURRENT, f"{release.name} is what runs now; name another release"


def _not_older(release: ReleaseSeen, running: ReleaseSeen | None, observation: Observation) -> _Drop | None:
    if running is None:
        return Reason.NO_CANDIDATE, _no_place(observation)
    if _rank(release) < _rank(running):
        return None
    how = "newer than" if _rank(release) > _rank(running) else "as old as"
    detail = f"{release.name} is {how} {running.name}, and `previous` goes back only; to have it, name it"
    return Reason.RELEASE_NEWER, detail


def _no_place(observation: Observation) -> str:
    if observation.running is None:
        return "nothing runs here, so no release is the previous one; name one"
    return f"{observation.running} runs but is not among the releases, so none is known to be older; name one"


def _unfit(release: ReleaseSeen, left: frozenset[str]) -> _Drop | None:
    """Say what is wrong with a release, whichever way it came to be considered."""
    name = release.name
    if name in left:
        return (
            Reason.JUST_ROLLED_BACK_FROM,
            f"this instance was just rolled back from {name}; only a person can return to it, by its name",
        )
    if not release.complete:
        return (
            Reason.RELEASE_INCOMPLETE,
            f"{name} is not complete on this target; deploy it again, or remove it",
        )
    if not release.executable:
        return (
            Reason.RELEASE_NOT_EXECUTABLE,
            f"{name} cannot be executed here; deploy it again, or mend its rights",
        )
    if not release.allowed:
        return (
            Reason.RELEASE_NOT_ALLOWED,
            f"{name} does not fit the `pattern` or `whitelist` of its service; mend either, or name another",
        )
    return None


def _missing(name: str, observation: Observation) -> str:
    present = ", ".join(sorted(release.name for release in observation.releases))
    return f"{name} is not on this target (it has {present or 'no release'}); deploy it there, or name another"


def _rank(release: ReleaseSeen) -> _Rank:
    """Make any two orders comparable: numbers before words."""
    return tuple((True, 0, part) if isinstance(part, str) else (False, part, "") for part in release.order)
