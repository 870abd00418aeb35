"""Which release an instance goes back to: each candidate kept or dropped, with its one reason.

Never chosen for a rule: the release that runs, under whatever name; one that this instance was just rolled back
from; one that is known to be bad, failed its smoke test or was built for another platform; one behind a door that
goes one way. `previous`, `last-known-good` and `stable` never go forward. What is not among the target's own
releases (`same-as`, `scale-to-zero`) is what its driver offers. The same facts always give the same choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rules.catalogue import NOTHING_KNOWN
from rules.choosing.choice import NOTHING_TO_GO_BACK_TO, Candidate, Choice
from rules.choosing.fitness import (
    Facts,
    is_blank,
    is_judged,
    why_current,
    why_left,
    why_not_known_good,
    why_not_older,
    why_not_trusted,
    why_unfit,
)
from rules.choosing.gone import no_longer_here
from rules.choosing.history import named
from rules.decisions import Reason
from rules.to import LastKnownGood, Previous, SameAs, ScaleToZero, Stable, Version, to_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.catalogue import Catalogue
    from rules.choosing.history import Entry
    from rules.observations import Drop, Observation
    from rules.to import To

__all__ = ["NOTHING_TO_GO_BACK_TO", "Candidate", "Choice", "choose"]

_Found: TypeAlias = tuple[list[Candidate], "str | None"]


def choose(
    to: Sequence[To],
    observation: Observation,
    left: frozenset[str],
    *,
    override: bool = False,
    catalogue: Catalogue = NOTHING_KNOWN,
    platform: str = "",
    overridden: frozenset[str] = frozenset(),
) -> Choice:
    """Consider the entries of `to` in order; the first with a candidate decides, later ones are not looked at.

    `left` names the releases this instance was just rolled back from. `override` is a person's word: a release
    that is called by its name may then be one of them. `platform` is the instance's; without it the observation's
    counts. `overridden` are the reasons that a person waives: `known-bad`, `smoke-test-failed`, `wrong-platform`,
    `irreversible`, `not-known-good`; whatever the target itself cannot run stays dropped.
    """
    facts = Facts.of(observation, catalogue, left, platform, overridden)
    considered: list[Candidate] = []
    proposed: str | None = None
    for entry in to:
        found, best = _consider(entry, facts, override=override)
        considered += found
        if any(candidate.kept for candidate in found):
            return Choice(tuple(considered))
        proposed = proposed or best
    return Choice(tuple(considered), proposed)


def _consider(entry: To, facts: Facts, *, override: bool) -> _Found:
    match entry:
        case LastKnownGood():
            return _last_known_good(facts)
        case Previous():
            return _previous(facts), None
        case Version():
            return _named(entry.version, facts, waived=override), None
        case Stable():
            return _stable(facts), None
        case SameAs() | ScaleToZero():
            return [_offered(entry, facts)], None


def _last_known_good(facts: Facts) -> _Found:
    """Walk back from what runs; on day one propose the newest of which nothing is known."""
    word = "last-known-good"
    if facts.observation.no_history is not None:
        return [_dropped(word, facts.observation.no_history), *no_longer_here(facts)], None
    judged = [(one, _why_not_back_to(one, facts, word)) for one in facts.history.on_target]
    found = [
        _candidate(
            one, drop or why_not_known_good(one, facts), f"{one.name} is the newest that is known to be good"
        )
        for one, drop in judged
    ]
    blank = (one.name for one, drop in judged if drop is None and is_blank(one))
    gone = no_longer_here(facts)
    proposed = None if gone or _anything_known(facts) else next(blank, None)
    return found + gone, proposed


def _anything_known(facts: Facts) -> bool:
    """Whether any release but the running one was ever known to be good or bad here."""
    return any(is_judged(one) and why_current(one, facts) is None for one in facts.history.on_target)


def _previous(facts: Facts) -> list[Candidate]:
    """Judge every release on the target, newest first."""
    if facts.observation.no_history is not None:
        return [_dropped("previous", facts.observation.no_history)]
    running = facts.observation.running
    return [
        _candidate(one, _why_not_back_to(one, facts, "previous"), f"{one.name} is older than {running} and whole")
        for one in facts.history.on_target
    ]


def _named(name: str, facts: Facts, *, waived: bool) -> list[Candidate]:
    """Judge what is called so, newest first: a version may have come with more than one configuration."""
    called = facts.history.called(name)
    if not called:
        return [_dropped(name, (Reason.RELEASE_MISSING, _missing(name, facts.observation)))]
    return [_candidate(one, _why_not(one, facts, waived=waived), f"{name} is named by `to`") for one in called]


def _stable(facts: Facts) -> list[Candidate]:
    """Judge what the service's pointer names."""
    pointer = facts.catalogue.stable
    if pointer is None:
        detail = (
            "no release is declared `stable` for this service here; `rollbackctl releases stable` declares one"
        )
        return [_dropped("stable", (Reason.NO_STABLE_POINTER, detail))]
    called = facts.history.called(pointer)
    if not called:
        return [_dropped(pointer, (Reason.RELEASE_MISSING, _missing(pointer, facts.observation)))]
    return [
        _candidate(one, _why_not_back_to(one, facts, "stable"), f"{pointer} is declared `stable`")
        for one in called
    ]


def _offered(entry: SameAs | ScaleToZero, facts: Facts) -> Candidate:
    """Judge what the target can be brought to besides its own releases."""
    word = to_word(entry)
    offer = facts.observation.offers.get(word)
    if offer is None:
        return _dropped(word, (Reason.RELEASE_MISSING, f"this target has no {word}"))
    if offer.release is None or offer.refused is not None:
        reason, detail = offer.refused or (Reason.NO_CANDIDATE, f"{word} cannot be had here")
        return _dropped(offer.release or word, (reason, detail))
    one = next((one for one in facts.history.on_target if one.name == offer.release), None)
    one = one or named(offer.release, facts.catalogue)
    trusted = None if isinstance(entry, ScaleToZero) else why_not_trusted(one, facts)
    drop = why_left(one, facts) or trusted
    return _dropped(one.name, drop) if drop else _kept(one.name, offer.note or f"{word} is what `to` allows")


def _why_not_back_to(one: Entry, facts: Facts, word: str) -> Drop | None:
    return why_current(one, facts) or why_not_older(one, facts, word) or _why_not(one, facts)


def _why_not(one: Entry, facts: Facts, *, waived: bool = False) -> Drop | None:
    """Say what is wrong with a release, whichever way it came to be considered."""
    return (
        why_current(one, facts)
        or (None if waived else why_left(one, facts))
        or why_not_trusted(one, facts)
        or why_unfit(one)
    )


def _candidate(one: Entry, drop: Drop | None, allowed: str) -> Candidate:
    if drop is not None:
        return _dropped(one.name, drop)
    note = one.seen.note if one.seen is not None else ""
    return _kept(one.name, f"{allowed}; {note}" if note else allowed)


def _dropped(name: str, drop: Drop) -> Candidate:
    reason, detail = drop
    return Candidate(name, kept=False, reason=reason, detail=detail)


def _kept(name: str, detail: str) -> Candidate:
    return Candidate(name, kept=True, reason=Reason.ALLOWED, detail=detail)


def _missing(name: str, observation: Observation) -> str:
    present = ", ".join(sorted(release.name for release in observation.releases))
    return f"{name} is not on this target (it has {present or 'no release'}); deploy it there, or name another"
