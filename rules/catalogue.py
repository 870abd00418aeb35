"""The catalogue: what is registered and thought of a service's releases, wherever they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rules.marks import UNMARKED, Mark, Marked


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the pipeline that built a release says of it.

    `digests` and `artifact_sha256` identify its bits: the same bits under another name are the same release.
    `platform` is `GOOS/GOARCH`. `irreversible`: once it ran, nothing older may run again;
    `cannot_go_back_past` names the oldest release that still may.
    """

    service: str
    version: str
    commit: str = ""
    digests: tuple[str, ...] = ()
    artifact_sha256: str = ""
    built_at_ms: int | None = None
    passed_smoke_test: bool | None = None
    go_version: str = ""
    platform: str = ""
    irreversible: bool = False
    cannot_go_back_past: str = ""
    notes: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every word that names this release: its version, its commit and the hashes of its bits."""
        return frozenset(word for word in (self.version, self.commit, *self.digests, self.artifact_sha256) if word)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One service in one environment. `marks` are by any name of a release; `stable` is the declared pointer."""

    manifests: tuple[Manifest, ...] = ()
    marks: Mapping[str, Marked] = field(default_factory=dict)
    stable: str | None = None

    def manifest_of(self, names: Iterable[str]) -> Manifest | None:
        """Return what is registered of a release that goes by these names."""
        wanted = frozenset(names)
        return next((one for one in self.manifests if one.names & wanted), None)

    def mark_of(self, names: Iterable[str]) -> Marked:
        """Return the strongest mark under any name of a release, those of its manifest included.

        Bad outweighs suspect, which outweighs good: one author's doubt is enough not to go there.
        """
        known = set(names)
        manifest = self.manifest_of(known)
        if manifest is not None:
            known |= manifest.names
        found = [self.marks[name] for name in sorted(known) if name in self.marks]
        return max(found, key=lambda one: _WEIGHT[one.mark], default=UNMARKED)


_WEIGHT = {Mark.UNKNOWN: 0, Mark.KNOWN_GOOD: 1, Mark.SUSPECT: 2, Mark.KNOWN_BAD: 3}

NOTHING_KNOWN = Catalogue()
