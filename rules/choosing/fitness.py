"""Every reason to drop a release. Each function gives one, or None; the first that has one decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.choosing.history import History
from rules.choosing.irreversible import Doors
from rules.decisions import Reason
from rules.marks import Mark

if TYPE_CHECKING:
    from rules.catalogue import Catalogue
    from rules.choosing.history import Entry
    from rules.observations import Drop, Observation


OVERRIDES = {
    Reason.KNOWN_BAD: "known-bad",
    Reason.SMOKE_TEST_FAILED: "smoke-test-failed",
    Reason.WRONG_PLATFORM: "wrong-platform",
    Reason.BEHIND_IRREVERSIBLE: "irreversible",
    Reason.NOT_KNOWN_GOOD: "not-known-good",
}
"""What a person may waive, and the word by which they do; the reason's own word will do as well."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a choice rests on."""

    observation: Observation
    catalogue: Catalogue
    history: History
    doors: Doors
    left: frozenset[str]
    platform: str
    overridden: frozenset[str]

    @classmethod
    def of(
        cls,
        observation: Observation,
        catalogue: Catalogue,
        left: frozenset[str],
        platform: str,
        overridden: frozenset[str],
    ) -> Facts:
        """Put the history together once; every candidate is judged against it."""
        history = History.of(observation, catalogue)
        doors = Doors.of(history, catalogue)
        return cls(observation, catalogue, history, doors, left, platform or observation.platform, overridden)


def why_current(one: Entry, facts: Facts) -> Drop | None:
    """Drop what runs, under whatever name."""
    running = facts.history.running
    if running is None or not one.is_same_as(running):
        return None
    if one.name == running.name:
        return Reason.RELEASE_CURRENT, f"{one.name} is what runs now; name another release"
    return Reason.RELEASE_CURRENT, f"{one.name} is {running.name}, which runs now; name another release"


def why_not_older(one: Entry, facts: Facts, word: str) -> Drop | None:
    """Drop what is not known to be older than what runs."""
    running = facts.history.running
    if running is None or running.rank is None or one.rank is None:
        return Reason.NO_CANDIDATE, _no_place(facts.observation)
    if one.rank < running.rank:
        return None
    how = "newer than" if one.rank > running.rank else "as old as"
    detail = f"{one.name} is {how} {running.name}, and `{word}` goes back only; to have it, name it"
    return Reason.RELEASE_NEWER, detail


def why_left(one: Entry, facts: Facts) -> Drop | None:
    """Drop what this instance was just rolled back from, also under another name with the same content."""
    same = {twin.name for twin in facts.history.on_target if twin.content and twin.content == one.content}
    if facts.left.isdisjoint({one.name, *same}):
        return None
    return (
        Reason.JUST_ROLLED_BACK_FROM,
        f"this instance was just rolled back from {one.name}; only a person can return to it, by its name",
    )


def why_unfit(one: Entry) -> Drop | None:
    """Drop what the target itself cannot run."""
    release = one.seen
    if release is None:
        return None
    name = release.name
    if release.unfit is not None:
        return release.unfit
    if not release.complete:
        return Reason.RELEASE_INCOMPLETE, f"{name} is not complete on this target; deploy it again, or remove it"
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


def why_not_trusted(one: Entry, facts: Facts) -> Drop | None:
    """Drop what the catalogue speaks against."""
    found = (_known_bad(one), _smoke_test(one), _platform(one, facts.platform), facts.doors.why_barred(one))
    return next((drop for drop in found if drop is not None and not _is_overridden(drop, facts)), None)


def why_not_known_good(one: Entry, facts: Facts) -> Drop | None:
    """Drop what nobody knows to be good."""
    if one.marked.mark is Mark.KNOWN_GOOD:
        return None
    is_what = {
        Mark.UNKNOWN: "nothing is known of it",
        Mark.SUSPECT: "a rollback left it and is not judged yet",
        Mark.KNOWN_BAD: f"it is marked known-bad{_author(one)}",
    }[one.marked.mark]
    drop = (
        Reason.NOT_KNOWN_GOOD,
        f"{one.name} is not known to be good: {is_what}; if it is, `rollbackctl releases good` says so",
    )
    return None if _is_overridden(drop, facts) else drop


def is_blank(one: Entry) -> bool:
    """Whether nobody ever thought anything of a release."""
    return one.marked.mark is Mark.UNKNOWN


def is_judged(one: Entry) -> bool:
    """Whether a release is known to be good or bad."""
    return one.marked.mark in {Mark.KNOWN_GOOD, Mark.KNOWN_BAD}


def _known_bad(one: Entry) -> Drop | None:
    if one.marked.mark is not Mark.KNOWN_BAD:
        return None
    lift = f"`rollbackctl releases unmark` lifts the mark of {one.name}"
    return Reason.KNOWN_BAD, f"{one.name} is marked known-bad{_author(one)}; if that is wrong, {lift}"


def _smoke_test(one: Entry) -> Drop | None:
    if one.manifest is None or one.manifest.passed_smoke_test is not False:
        return None
    return (
        Reason.SMOKE_TEST_FAILED,
        f"{one.name} failed its smoke test, as its manifest says; register it anew once it passed",
    )


def _platform(one: Entry, platform: str) -> Drop | None:
    built_for = "" if one.manifest is None else one.manifest.platform
    if not built_for or not platform or built_for == platform:
        return None
    return (
        Reason.WRONG_PLATFORM,
        f"{one.name} is built for {built_for} and this instance is {platform}; deploy a build for it",
    )


def _author(one: Entry) -> str:
    by = f" by {one.marked.by}" if one.marked.by else ""
    return f"{by} ({one.marked.why})" if one.marked.why else by


def _is_overridden(drop: Drop, facts: Facts) -> bool:
    reason = drop[0]
    return not facts.overridden.isdisjoint({reason.value, OVERRIDES.get(reason, reason.value)})


def _no_place(observation: Observation) -> str:
    if observation.running is None:
        return "nothing runs here, so no release is the previous one; name one"
    return f"{observation.running} runs but is not among the releases, so none is known to be older; name one"
