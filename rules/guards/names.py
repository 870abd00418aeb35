"""Which release a word means, and whether two instances run the same one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from rules.catalogue import DIGEST
from rules.observations import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rules.catalogue import Catalogue, Manifest
    from rules.facts import Case

RELEASE_LABELS = (
    "version",
    "release",
    "app_version",
    "app.kubernetes.io/version",
    "app_kubernetes_io_version",
    "label_app_kubernetes_io_version",
)
"""The labels by which an alert may say which release it is about."""


class Same(Enum):
    """Whether two instances run one release."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Release:
    """A release by all words that name it, its name first."""

    words: tuple[str, ...]
    manifest: Manifest | None = None

    @classmethod
    def of(cls, words: tuple[str, ...], catalogue: Catalogue) -> Release:
        """Add what the catalogue has registered of it."""
        return cls(words, catalogue.manifest_of(words) if words else None)

    @property
    def name(self) -> str:
        """What people call it; empty where nothing runs."""
        return self.words[0] if self.words else ""

    @property
    def word(self) -> str:
        """The word by which it is the same one on every instance: its manifest's version, or its own."""
        if self.manifest is not None:
            return self.manifest.version
        return _version(self.name) if _version(self.name) in self.words else self.name

    def is_called(self, word: str) -> bool:
        """Whether `word` names it, with or without the v of a version."""
        if self.manifest is not None and self.manifest.is_called(word):
            return True
        return bare(word) in {bare(own) for own in (*self.words, _version(self.name))}

    def same_as(self, other: Release) -> Same:
        """Tell whether two instances run the same release.

        Numbers of revisions mean nothing beyond their workload, and a sidecar's image is in many releases: a word
        in common that is neither a name nor a version leaves it open.
        """
        if self.name == other.name:
            return Same.YES
        if self.manifest is not None and other.manifest is not None:
            return Same.YES if self.manifest == other.manifest else Same.NO
        ours, theirs = self._digests, other._digests
        if ours and theirs:
            return Same.YES if ours <= theirs or theirs <= ours else Same.NO
        if _says(other.words, self.name) or _says(self.words, other.name):
            return Same.YES
        if _version(self.name) == _version(other.name):
            return Same.YES
        return Same.UNKNOWN if self._telling & other._telling else Same.NO

    @property
    def _digests(self) -> frozenset[str]:
        return frozenset(word for word in self.words if word.startswith(DIGEST))

    @property
    def _telling(self) -> frozenset[str]:
        return frozenset(bare(word) for word in self.words if not word.isdigit())


def running(case: Case) -> Release | None:
    """Return what the instance runs; None where that is unknown, or nothing does."""
    seen = case.instance.running
    return Release.of(seen.value, case.service.catalogue) if seen is not None and seen.value else None


def words_of(labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what an alert's labels say of the release it is about: each label with its value."""
    for label in RELEASE_LABELS:
        if labels.get(label):
            yield label, labels[label]


def names_another(case: Case, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the label, and its value, by which an alert names another known release than the one that runs.

    None if any label names the running one, or none names a release that is known.
    """
    ours = running(case)
    if ours is None or any(ours.is_called(word) for _, word in words_of(labels)):
        return None
    others = list(_known(case))
    return next(
        ((label, word) for label, word in words_of(labels) if any(other.is_called(word) for other in others)), None
    )


def _known(case: Case) -> Iterator[Release]:
    """Yield every release that is known of the service, by what names it."""
    catalogue, observation, peers = case.service.catalogue, case.instance.observation, case.service.peers
    for seen in observation.releases if observation else ():
        yield Release((seen.name, *seen.aliases))
    for manifest in catalogue.manifests:
        yield Release((manifest.version,), manifest)
    for name in (*catalogue.marks, *case.instance.left):
        yield Release((name,))
    for peer in peers.value if peers else ():
        if peer.running:
            yield Release.of(peer.running, catalogue)


def _says(words: tuple[str, ...], name: str) -> bool:
    return not name.isdigit() and bare(name) in {bare(word) for word in words}


def _version(name: str) -> str:
    """Return a workload's release without the hash of its template."""
    return name.split("+", 1)[0]
