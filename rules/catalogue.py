"""The catalogue: what is registered and thought of a service's releases, wherever they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from rules.marks import UNMARKED, Marked, outweighs


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

    def is_called(self, word: str) -> bool:
        """Whether `word` names this release; a commit may be abbreviated as git does it."""
        return word in self.names or _abbreviates(word, self.commit)

    def likeness(self, names: frozenset[str]) -> Likeness:
        """How surely a release that goes by these names is this one."""
        if self._has_bits_of(names):
            return Likeness.SAME_BITS
        if self.version in names:
            return Likeness.SAME_VERSION
        same_commit = bool(self.commit) and any(
            word == self.commit or _abbreviates(word, self.commit) for word in names
        )
        return Likeness.SAME_COMMIT if same_commit else Likeness.NONE

    def _has_bits_of(self, names: frozenset[str]) -> bool:
        """Compare hashes. A sidecar is in many releases: one digest in common among others proves nothing."""
        ours, theirs = frozenset(self.digests), frozenset(word for word in names if word.startswith(DIGEST))
        alike = bool(ours & theirs) and (ours <= theirs or theirs <= ours)
        return alike or (bool(self.artifact_sha256) and not names.isdisjoint(_written(self.artifact_sha256)))


class Likeness(IntEnum):
    """What a release and a manifest have in common, from nothing to the bits themselves."""

    NONE = 0
    SAME_COMMIT = 1
    SAME_VERSION = 2
    SAME_BITS = 3


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One service in one environment. `marks` are by any name of a release; `stable` is the declared pointer."""

    manifests: tuple[Manifest, ...] = ()
    marks: Mapping[str, Marked] = field(default_factory=dict)
    stable: str | None = None

    def manifest_of(self, names: Iterable[str]) -> Manifest | None:
        """Return what is registered of a release with these names: by its bits rather than by its version."""
        wanted = frozenset(names)
        best = max(self.manifests, key=lambda one: (one.likeness(wanted), one.version), default=None)
        return best if best is not None and best.likeness(wanted) else None

    def mark_of(self, names: Iterable[str]) -> Marked:
        """Return the strongest mark under any name of a release, those of its manifest included.

        Bad outweighs suspect, which outweighs good: one author's doubt is enough not to go there.
        """
        known = frozenset(names)
        manifest = self.manifest_of(known)
        alike = [] if manifest is None else self._same_bits(known | manifest.names)
        called = [manifest, *alike] if manifest is not None else []
        found = [
            self.marks[word]
            for word in sorted(self.marks)
            if word in known or any(one.is_called(word) for one in called)
        ]
        strongest = UNMARKED
        for one in found:
            strongest = one if outweighs(one, strongest) else strongest
        return strongest

    def _same_bits(self, names: frozenset[str]) -> list[Manifest]:
        """Return every manifest of the same bits: one build may be registered under several versions."""
        return [one for one in self.manifests if one.likeness(names) is Likeness.SAME_BITS]


DIGEST = "sha256:"
_LEAST_ABBREVIATED = 7
"""Hexadecimal digits of a commit, by git's own default."""


def _abbreviates(word: str, commit: str) -> bool:
    return len(word) >= _LEAST_ABBREVIATED and commit.startswith(word)


def _written(sha256: str) -> tuple[str, str]:
    return sha256, DIGEST + sha256


NOTHING_KNOWN = Catalogue()
