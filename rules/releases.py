"""Which release an instance goes back to: each candidate kept or dropped, with its reason.

Two releases are never chosen for a rule: the one that runs, and one this instance was just rolled back from.
`previous` is never newer than what runs. What is not among the target's own releases (`same-as`,
`scale-to-zero`) is what its driver offers. The same facts always give the same choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason
from rules.to import LastKnownGood, Previous, Stable, Version, to_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.observations import Drop, Observation, ReleaseSeen
    from rules.to import SameAs, ScaleToZero, To

_Rank: TypeAlias = tuple[tuple[bool, int, str], ...]


NOTHING_TO_GO_BACK_TO = frozenset(
    {
        Reason.NO_CANDIDATE,
        Reason.NO_HISTORY,
        Reason.FIRST_RELEASE,
        Reason.SAME_IMAGES,
        Reason.STABLE_NOT_READY,
        Reason.DIGEST_UNKNOWN,
        Reason.SERVICE_WOULD_BE_EMPTY,
        Reason.SCALED_BY_OTHERS,
    }
)
"""What `Choice.reason` may be: nothing is changed, and a person has to see to it."""


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

    @property
    def reason(self) -> Reason:
        """Why nothing was chosen: what all that could have been had in common, else `no-candidate`."""
        reasons = {one.reason for one in self.candidates if one.reason is not Reason.RELEASE_CURRENT}
        shared = reasons.pop() if len(reasons) == 1 else Reason.NO_CANDIDATE
        return shared if shared in NOTHING_TO_GO_BACK_TO else Reason.NO_CANDIDATE


def choose(
    to: Sequence[To],
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
        match entry:
            case Version():
                found = _named(entry.version, observation, frozenset() if override else left)
            case Previous():
                found = _previous(observation, left)
            case LastKnownGood() | Stable():
                found = []
            case _:
                found = [_offered(entry, observation, left)]
        considered += found
        if any(candidate.kept for candidate in found):
            break
    return Choice(tuple(considered))


def _named(name: str, observation: Observation, left: frozenset[str]) -> list[Candidate]:
    """Judge what is called so, newest first: a version may have come with more than one configuration."""
    called = [release for release in _newest_first(observation) if release.is_called(name)]
    if not called:
        return [Candidate(name, kept=False, reason=Reason.RELEASE_MISSING, detail=_missing(name, observation))]
    return [
        _judged(release, _running(release, observation) or _unfit(release, left), f"{name} is named by `to`")
        for release in called
    ]


def _offered(entry: SameAs | ScaleToZero, observation: Observation, left: frozenset[str]) -> Candidate:
    """Judge what the target can be brought to besides its own releases."""
    word = to_word(entry)
    offer = observation.offers.get(word)
    if offer is None:
        return Candidate(word, kept=False, reason=Reason.RELEASE_MISSING, detail=f"this target has no {word}")
    if offer.release is None or offer.refused is not None:
        reason, detail = offer.refused or (Reason.NO_CANDIDATE, f"{word} cannot be had here")
        return Candidate(offer.release or word, kept=False, reason=reason, detail=detail)
    if offer.release in left:
        return Candidate(
            offer.release, kept=False, reason=Reason.JUST_ROLLED_BACK_FROM, detail=_left(offer.release)
        )
    detail = offer.note or f"{word} is what `to` allows"
    return Candidate(offer.release, kept=True, reason=Reason.ALLOWED, detail=detail)


def _previous(observation: Observation, left: frozenset[str]) -> list[Candidate]:
    """Judge every release on the target, newest first."""
    ordered = _newest_first(observation)
    if observation.no_history is not None:
        reason, detail = observation.no_history
        return [Candidate("previous", kept=False, reason=reason, detail=detail)]
    running = next((release for release in ordered if release.name == observation.running), None)
    return [
        _judged(
            release,
            _running(release, observation) or _not_older(release, running, observation) or _unfit(release, left),
            f"{release.name} is older than {observation.running} and whole",
        )
        for release in ordered
    ]


def _newest_first(observation: Observation) -> list[ReleaseSeen]:
    return sorted(observation.releases, key=lambda release: (_rank(release), release.name), reverse=True)


def _judged(release: ReleaseSeen, drop: Drop | None, allowed: str) -> Candidate:
    reason, detail = drop or (Reason.ALLOWED, f"{allowed}; {release.note}" if release.note else allowed)
    return Candidate(release.name, kept=drop is None, reason=reason, detail=detail)


def _running(release: ReleaseSeen, observation: Observation) -> Drop | None:
    if release.name != observation.running:
        return None
    return Reason.RELEASE_CURRENT, f"{release.name} is what runs now; name another release"


def _not_older(release: ReleaseSeen, running: ReleaseSeen | None, observation: Observation) -> Drop | None:
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


def _unfit(release: ReleaseSeen, left: frozenset[str]) -> Drop | None:
    """Say what is wrong with a release, whichever way it came to be considered."""
    name = release.name
    if name in left:
        return Reason.JUST_ROLLED_BACK_FROM, _left(name)
    if release.unfit is not None:
        return release.unfit
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


def _left(name: str) -> str:
    return f"this instance was just rolled back from {name}; only a person can return to it, by its name"


def _missing(name: str, observation: Observation) -> str:
    present = ", ".join(sorted(release.name for release in observation.releases))
    return f"{name} is not on this target (it has {present or 'no release'}); deploy it there, or name another"


def _rank(release: ReleaseSeen) -> _Rank:
    """Make any two orders comparable: numbers before words."""
    return tuple((True, 0, part) if isinstance(part, str) else (False, part, "") for part in release.order)
