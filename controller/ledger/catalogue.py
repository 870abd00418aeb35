"""The catalogue: manifests, marks and `stable` pointers of each service, and who said what of them.

A build's identity never changes once it is registered. A mark that a rollback set is lifted exactly: what stood
before stands again, also where another rollback's mark came over it. Every change raises the book's version, so
that whoever chose a release before it chooses again before the first change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.keys import key
from controller.ledger.records import iso
from rules.catalogue import Catalogue, Manifest
from rules.decisions import Reason
from rules.errors import Permanent
from rules.marks import Mark, Marked, outweighs

EVERYWHERE = ""
"""The environment of what holds in all of them."""


class Contradiction(Permanent):
    """Another build is registered under this version; `stands` is that one, `field` where they differ."""

    def __init__(self, stands: Manifest, field: str, said: Manifest) -> None:
        old, new = _shown(stands, field), _shown(said, field)
        super().__init__(
            Reason.CHANGED_MEANWHILE,
            f"{stands.service} {stands.version} is registered with {field} {old}, and this says {new}: "
            "one version is one build. Give the new build a version of its own",
        )
        self.stands = stands
        self.field = field


@dataclass(frozen=True, slots=True)
class Registered:
    """A manifest, who registered it, and when it was first heard of."""

    manifest: Manifest
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class MarkSet:
    """A mark where it stands: under which word, in which environment (empty: all), and by which rollback."""

    release: str
    environment: str
    marked: Marked
    rollback: str = ""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is declared `stable` in an environment, by whom."""

    environment: str
    release: str
    by: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit: what was said of which release. `before` is what stood there, as it was written."""

    at: str
    by: str
    what: str
    release: str
    environment: str
    why: str
    before: str


class Catalogues:
    """Registers, marks, points, and tells what is known. Where a reply was lost, asking again does no harm."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def register(self, manifest: Manifest, by: str, *, reversible: bool = False) -> str:
        """Register a build, or complete what is known of it; `new`, `completed` or `same`. Raises `Contradiction`.

        `reversible`: it is said outright that it is not irreversible, also if it was said before that it is.
        """
        said = _written(manifest)
        done, text, *field = self._do(
            "register", manifest.service, version=manifest.version, manifest=said, by=by, reversible=reversible
        )
        if done == "contradiction":
            raise Contradiction(_registered(manifest.service, text).manifest, field[0], manifest)
        return str(done)

    def registered(self, service: str) -> tuple[Registered, ...]:
        """Return what is registered, the newest build first."""
        with translated():
            found = self._client.hgetall(key("manifests", service))
        return _newest_first([_registered(service, text) for text in found.values()])

    def manifests(self, service: str) -> tuple[Manifest, ...]:
        """Return what is registered, the newest build first."""
        return tuple(one.manifest for one in self.registered(service))

    def mark(
        self,
        service: str,
        release: str,
        mark: Mark,
        *,
        by: str,
        why: str = "",
        environment: str = EVERYWHERE,
        rollback: str = "",
    ) -> bool:
        """Say what is thought of a release; `unknown` takes away what was said. False where nothing was changed.

        What the `observer` sees changes no doubt, and a suspicion does not weaken `known-bad`.
        """
        done, _ = self._do(
            "mark",
            service,
            release=release,
            mark=str(mark),
            by=by,
            why=why,
            environment=environment,
            rollback=rollback,
        )
        return bool(done)

    def lift(self, service: str, rollback: str, by: str = "") -> tuple[str, ...]:
        """Take away every mark that this rollback set and that still stands; returns the releases."""
        return tuple(self._do("lift", service, rollback=rollback, by=by or f"rollback {rollback}"))

    def marks(self, service: str, environment: str) -> Mapping[str, Marked]:
        """Return what is thought of releases in one environment, by the words it was said of; doubt outweighs."""
        return _merged(self.marks_set(service), environment)

    def marks_set(self, service: str) -> tuple[MarkSet, ...]:
        """Return every mark where it stands, the newest first."""
        with translated():
            found = self._client.hgetall(key("marks", service))
        return _marks(found)

    def point(self, service: str, environment: str, release: str, by: str) -> str:
        """Declare what is `stable`, or with an empty release that nothing is; returns what was before."""
        return str(self._do("point", service, environment=environment, release=release, by=by))

    def pointers(self, service: str) -> tuple[Pointer, ...]:
        """Return the `stable` pointers, that of all environments first."""
        with translated():
            found = self._client.hgetall(key("stable", service))
        return _pointers(found)

    def of(self, service: str, environment: str) -> Catalogue:
        """Return all that choosing needs, as of one moment; what holds in all environments holds in this one."""
        with translated(), self._client.pipeline(transaction=True) as pipe:
            for kind in ("manifests", "marks", "stable"):
                pipe.hgetall(key(kind, service))
            manifests, marks, stable = pipe.execute()
        registered = _newest_first([_registered(service, text) for text in manifests.values()])
        pointers = {pointer.environment: pointer.release for pointer in _pointers(stable)}
        return Catalogue(
            tuple(one.manifest for one in registered),
            _merged(_marks(marks), environment),
            pointers.get(environment, pointers.get(EVERYWHERE)),
        )

    def log(self, service: str, limit: int = 100) -> tuple[Entry, ...]:
        """Read who said what of this service's releases, the newest first; about the last 1,000 are kept."""
        with translated():
            entries = self._client.xrevrange(key("catalogue", service), count=limit)
        return tuple(Entry(iso(int(ident.split("-", 1)[0])) or "", **fields) for ident, fields in entries)

    def _do(self, verb: str, service: str, **asked: Any) -> Any:
        return self._scripts.run("catalogue", verb, service, orjson.dumps(asked))


def _written(manifest: Manifest) -> dict[str, Any]:
    """Write what is known of a build; what is not known is left out, so that it can be completed."""
    known = {name: value for name, value in asdict(manifest).items() if value not in (None, "", (), False)}
    if manifest.passed_smoke_test is False:
        known["passed_smoke_test"] = False
    if manifest.digests:
        known["digests"] = " ".join(manifest.digests)
    del known["service"]
    return known


def _registered(service: str, text: str) -> Registered:
    entry = orjson.loads(text)
    said = {**entry["manifest"], "service": service}
    return Registered(
        Manifest(**{**said, "digests": tuple(said.get("digests", "").split())}), entry["by"], int(entry["at_ms"])
    )


def _newest_first(found: list[Registered]) -> tuple[Registered, ...]:
    return tuple(
        sorted(found, key=lambda one: (one.manifest.built_at_ms or one.at_ms, one.manifest.version), reverse=True)
    )


def _marks(found: Mapping[str, str]) -> tuple[MarkSet, ...]:
    sets = []
    for name, text in found.items():
        environment, release = name.split("\n", 1)
        entry = orjson.loads(text)
        marked = Marked(Mark(entry["mark"]), entry["by"], entry["why"], int(entry["at_ms"]))
        sets.append(MarkSet(release, environment, marked, entry["rollback"]))
    return tuple(sorted(sets, key=lambda one: (-(one.marked.at_ms or 0), one.release, one.environment)))


def _merged(sets: tuple[MarkSet, ...], environment: str) -> dict[str, Marked]:
    merged: dict[str, Marked] = {}
    for one in sets:
        if one.environment in {EVERYWHERE, environment}:
            known = merged.get(one.release)
            merged[one.release] = one.marked if known is None or outweighs(one.marked, known) else known
    return merged


def _pointers(found: Mapping[str, str]) -> tuple[Pointer, ...]:
    read = ((environment, orjson.loads(text)) for environment, text in sorted(found.items()))
    return tuple(Pointer(name, one["release"], one["by"], int(one["at_ms"])) for name, one in read)


def _shown(manifest: Manifest, field: str) -> str:
    value = getattr(manifest, field)
    if field == "irreversible":
        limit = manifest.cannot_go_back_past
        return f"cannot-go-back-past {limit}" if limit else str(value).lower()
    return " ".join(value) if isinstance(value, tuple) else str(value)
