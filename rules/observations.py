"""What a driver saw of one instance: the facts that choice and plan rest on, as values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason

if TYPE_CHECKING:
    from rules.facts import Arrival

Drop: TypeAlias = tuple[Reason, str]
"""Why something is not chosen, and what a person can do about it."""


@dataclass(frozen=True, slots=True)
class ReleaseSeen:
    """One release that is present on the target.

    `order` sorts releases from oldest to newest; only comparisons within one observation mean anything.
    `aliases` are the other words that name it: a version, an image's tag or digest, a revision's number.
    `unfit` is the driver's own reason why it cannot be gone back to; `note` what a person should know of it.
    """

    name: str
    order: tuple[int | str, ...]
    complete: bool = True
    executable: bool = True
    allowed: bool = True
    aliases: tuple[str, ...] = ()
    unfit: Drop | None = None
    note: str = ""
    content: str = ""
    """Identifies its bits, where they are known: two releases with the same content are the same."""

    def is_called(self, word: str) -> bool:
        """Whether `word` names this release."""
        return word == self.name or word in self.aliases


@dataclass(frozen=True, slots=True)
class Offer:
    """What the target can be brought to besides its own releases, for one entry of `to`.

    `release` names what it would run then; None where it cannot be done, and then `refused` says why.
    """

    release: str | None = None
    refused: Drop | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """One instance as it was at one moment.

    `running` is the name of the release the instance is switched to, None where the target has none.
    `arrival` pins the arrival of that release (hosts: link target, inode and mtime; never a creation time).
    `fence` is the highest fence the target has seen, `fence_owner` the rollback that showed it.
    `details` are the driver's own facts, JSON-able, kept as evidence and shown to people; the core never reads
    them. `offers` are keyed by `to_word` of their entry, and `no_history` says why nothing stands before the
    running release where that is known.
    `labels` are what a rule selects by, None where it selects by nothing; `own_labels` are those that the
    instance says of itself besides. `brought_by` is the rollback that brought what runs, where the target itself
    tells: no rule acts on what our own hand brought, whatever the ledger has forgotten.
    `arrived` is when the running release came, as the target itself tells; None where it does not.
    `platform` is `GOOS/GOARCH`, empty where it is not known.
    """

    running: str | None
    arrival: str
    fence: int
    releases: tuple[ReleaseSeen, ...] = ()
    last_stable: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    no_history: Drop | None = None
    labels: Mapping[str, str] | None = None
    own_labels: Mapping[str, str] = field(default_factory=dict)
    arrived: Arrival | None = None
    brought_by: str | None = None
    fence_owner: str = ""
    platform: str = ""

    def runs(self, word: str) -> bool:
        """Whether the running release is called `word`, with or without the v of a version."""
        return is_called(word, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Every word that names the running release, its name first; none where nothing runs."""
        if self.running is None:
            return ()
        release = next((release for release in self.releases if release.name == self.running), None)
        return self.running, *(release.aliases if release else ())


def is_called(word: str, names: Collection[str]) -> bool:
    """Whether a release with these names is meant by `word`: `1.3.0` says an alert, and `v1.3.0` a folder."""
    return bare(word) in {bare(name) for name in names}


def bare(word: str) -> str:
    """Return a version without its v; any other word as it stands."""
    return word[1:] if len(word) > 1 and word[0] == "v" and word[1].isdigit() else word
