"""What the API shows of a service's releases: manifests, marks, pointers and where each runs, put together."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from controller.ledger.records import iso
from rules.catalogue import Catalogue
from rules.choosing.readiness import would_go_back
from rules.decisions import Reason
from rules.marks import UNMARKED, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.ledger import Ledger, RosterEntry
    from controller.ledger.catalogue import MarkSet, Pointer, Registered
    from rules.catalogue import Manifest
    from rules.choosing.choice import Choice
    from rules.marks import Marked

VERDICTS = {
    Mark.UNKNOWN: "unknown",
    Mark.KNOWN_GOOD: "good",
    Mark.SUSPECT: "suspect",
    Mark.KNOWN_BAD: "bad",
}


@dataclass(slots=True)
class _Shown:
    """One release with everything that is known of it; `names` grow while it is put together."""

    name: str
    names: set[str]
    registered: Registered | None = None
    marks: list[MarkSet] = field(default_factory=list)
    runs_on: list[RosterEntry] = field(default_factory=list)

    def is_called(self, words: Iterable[str]) -> bool:
        manifest = self.registered.manifest if self.registered else None
        return any(word in self.names or (manifest is not None and manifest.is_called(word)) for word in words)

    @property
    def is_seen(self) -> bool:
        """Whether there is more of it than a word that somebody said."""
        return self.registered is not None or bool(self.runs_on)

    @property
    def at_ms(self) -> int:
        """When it was built, else when it was first heard of."""
        if self.registered is not None:
            return self.registered.manifest.built_at_ms or self.registered.at_ms
        heard = [one.marked.at_ms or 0 for one in self.marks] + [one.arrival.by_ms for one in self.runs_on]
        return max(heard, default=0)


@dataclass(frozen=True, slots=True)
class Shelf:
    """All releases of one service that anybody said anything of, or that run in one environment."""

    service: str
    environment: str
    catalogue: Catalogue
    registered: tuple[Registered, ...]
    marks: tuple[MarkSet, ...]
    pointers: tuple[Pointer, ...]
    roster: tuple[RosterEntry, ...]

    @classmethod
    def of(cls, ledger: Ledger, service: str, environment: str) -> Shelf:
        """Read it."""
        books = ledger.catalogue
        return cls(
            service,
            environment,
            books.of(service, environment),
            books.registered(service),
            books.marks_set(service),
            books.pointers(service),
            ledger.roster.of_service(service, environment),
        )

    def knows(self, release: str) -> bool:
        """Whether a release was registered, was spoken of, or runs, under this name."""
        return any(one.is_called([release]) for one in self._releases())

    def releases(self, limit: int) -> dict[str, Any]:
        """Show the newest."""
        found = sorted(self._releases(), key=lambda one: (one.is_seen, one.at_ms, one.name), reverse=True)
        return {
            "service": self.service,
            "environment": self.environment,
            "releases": [self._shown(one) for one in found[:limit]],
            "more": max(0, len(found) - limit),
            "stable": [
                {"environment": one.environment, "release": one.release, "by": one.by, "at": iso(one.at_ms)}
                for one in self.pointers
            ],
        }

    def verdict(self, release: str) -> dict[str, Any]:
        """Say what is thought of one release, for whoever is about to deploy it.

        A version stands for each of its configurations that ran in a cluster: one that is bad is worth a look.
        """
        names = {release, *(one.release for one in self.marks if one.release.split("+", 1)[0] == release)}
        manifest, marked = self.catalogue.manifest_of({release}), self.catalogue.mark_of(names)
        failed = manifest is not None and manifest.passed_smoke_test is False
        bad_by_test = failed and marked.mark is not Mark.KNOWN_BAD
        return {
            "service": self.service,
            "environment": self.environment,
            "release": release,
            "verdict": "bad" if bad_by_test else VERDICTS[marked.mark],
            "why": "it failed its smoke test, as its manifest says" if bad_by_test else marked.why,
            **_author(UNMARKED if bad_by_test else marked),
            "known": self.knows(release),
        }

    def ready(self, ledger: Ledger, coming: str) -> dict[str, Any]:
        """Say for each instance what it would go back to if the release that is coming turned out bad."""
        instances = [self._ready(one, ledger, coming) for one in self.roster]
        if not instances:
            by_build = [
                tuple(sorted(one.manifest.names, key=one.manifest.version.__ne__)) for one in self.registered
            ]
            spoken = [(one.release,) for one in self.marks if not self.catalogue.manifest_of({one.release})]
            choice = would_go_back([*by_build, *spoken], self.catalogue, coming=coming)
            instances = [_shown_choice("", "", choice)]
        return {
            "service": self.service,
            "environment": self.environment,
            "release": coming,
            "ready": all(one["to"] is not None for one in instances),
            "instances": instances,
            "seen": bool(self.roster),
        }

    def _ready(self, entry: RosterEntry, ledger: Ledger, coming: str) -> dict[str, Any]:
        past = [(one.release,) for one in ledger.roster.arrivals(entry.instance)]
        choice = would_go_back([entry.names, *past], self.catalogue, coming=coming, platform=entry.platform)
        return _shown_choice(entry.instance, entry.names[0] if entry.names else "", choice)

    def _releases(self) -> list[_Shown]:
        found = [_Shown(one.manifest.version, set(one.manifest.names), one) for one in self.registered]
        for entry in self.roster:
            if entry.names:
                _of(found, entry.names, self.catalogue).runs_on.append(entry)
        for mark in self.marks:
            _of(found, (mark.release,), self.catalogue).marks.append(mark)
        return found

    def _shown(self, one: _Shown) -> dict[str, Any]:
        marked = self.catalogue.mark_of(one.names)
        return {
            "release": one.name,
            "manifest": None if one.registered is None else manifest_shown(one.registered.manifest),
            "registered_by": one.registered.by if one.registered else "",
            "registered_at": iso(one.registered.at_ms) if one.registered else None,
            "mark": str(marked.mark),
            "why": marked.why,
            **_author(marked),
            "marks": [mark_shown(mark) for mark in one.marks],
            "stable_in": [p.environment for p in self.pointers if one.is_called([p.release])],
            "runs_on": [entry.instance for entry in one.runs_on],
        }


def manifest_shown(manifest: Manifest) -> dict[str, Any]:
    """Show a manifest as it can be registered again: without what is not known."""
    said: dict[str, Any] = asdict(manifest)
    said["built_at"] = iso(said.pop("built_at_ms"))
    said["digests"] = list(manifest.digests)
    return {
        name: value for name, value in said.items() if value not in (None, "", []) and (value or name in _SAID)
    }


_SAID = frozenset({"passed_smoke_test"})


def mark_shown(one: MarkSet) -> dict[str, Any]:
    """Show one mark where it stands."""
    return {
        "release": one.release,
        "environment": one.environment,
        "mark": str(one.marked.mark),
        "why": one.marked.why,
        "rollback": one.rollback,
        **_author(one.marked),
    }


def _author(marked: Marked) -> dict[str, Any]:
    return {"by": marked.by, "at": iso(marked.at_ms)}


def _of(found: list[_Shown], names: tuple[str, ...], catalogue: Catalogue) -> _Shown:
    """Find the release that these words name, or begin a new one."""
    manifest = catalogue.manifest_of(names)
    for one in found:
        same = one.registered.manifest == manifest if one.registered and manifest else one.is_called(names[:1])
        if same:
            one.names.update(names)
            return one
    found.append(_Shown(names[0], set(names)))
    return found[-1]


def _shown_choice(instance: str, running: str, choice: Choice) -> dict[str, Any]:
    kept = choice.chosen is not None
    return {
        "instance": instance,
        "running": running,
        "to": choice.chosen,
        "reason": str(Reason.ALLOWED if kept else choice.reason),
        "candidates": [
            {"release": one.release, "kept": one.kept, "reason": str(one.reason), "detail": one.detail}
            for one in choice.candidates
            if one.reason is not Reason.RELEASE_CURRENT
        ],
    }
