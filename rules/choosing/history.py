"""The releases of one target as choice sees them: their names, manifests and marks, and which is older.

Two releases with the same content are the same, and share what is known of either. A release is older than another
by the target's own order; where the target does not have one of them, by the times at which both were built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from rules.marks import UNMARKED, Marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rules.catalogue import Catalogue, Manifest
    from rules.observations import Observation, ReleaseSeen

Rank: TypeAlias = tuple[tuple[bool, int, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One release. `seen` and `rank` are None where the target does not have it."""

    name: str
    names: frozenset[str]
    seen: ReleaseSeen | None = None
    rank: Rank | None = None
    content: str = ""
    manifest: Manifest | None = None
    marked: Marked = UNMARKED

    @property
    def built_ms(self) -> int | None:
        """When it was built, if its pipeline said so."""
        return None if self.manifest is None else self.manifest.built_at_ms

    def is_called(self, word: str) -> bool:
        """Whether `word` names it, by itself or by its manifest."""
        return word in self.names or (self.manifest is not None and self.manifest.is_called(word))

    def is_same_as(self, other: Entry) -> bool:
        """Whether both are one release: by name, else by content where both are known, else by manifest.

        One image with two configurations has one manifest and two contents: that is two releases.
        """
        if self.name == other.name:
            return True
        if self.content and other.content:
            return self.content == other.content
        return self.manifest is not None and self.manifest == other.manifest


@dataclass(frozen=True, slots=True)
class History:
    """All releases of a target, newest first, and the one that runs."""

    on_target: tuple[Entry, ...]
    running: Entry | None
    elsewhere: tuple[Entry, ...] = field(default=())
    """Registered releases that the target does not have."""

    @classmethod
    def of(cls, observation: Observation, catalogue: Catalogue) -> History:
        """Put together what the target has and what the catalogue knows."""
        newest_first = sorted(observation.releases, key=lambda one: (_rank(one), one.name), reverse=True)
        on_target = tuple(_entry(one, observation.releases, catalogue) for one in newest_first)
        running = next((one for one in on_target if one.name == observation.running), None)
        if running is None and observation.running is not None:
            running = named(observation.running, catalogue)
        present = [one.manifest for one in on_target]
        elsewhere = (one for one in catalogue.manifests if one not in present)
        return cls(on_target, running, tuple(Entry(one.version, one.names, manifest=one) for one in elsewhere))

    def called(self, word: str) -> tuple[Entry, ...]:
        """Return the target's releases of that name, newest first: its own words for them before a manifest's."""
        own = tuple(one for one in self.on_target if one.seen is not None and one.seen.is_called(word))
        return own or tuple(one for one in self.on_target if one.is_called(word))

    def everything(self) -> Iterator[Entry]:
        """Return every release that is known of: on the target, running, and registered."""
        yield from self.on_target
        if self.running is not None and self.running.rank is None:
            yield self.running
        yield from self.elsewhere

    def is_older(self, one: Entry, other: Entry) -> bool | None:
        """Whether `one` came before `other`; None where nothing tells."""
        if one.rank is not None and other.rank is not None:
            return one.rank < other.rank
        if one.built_ms is not None and other.built_ms is not None:
            return one.built_ms < other.built_ms
        return self._is_older_by_neighbours(one, other)

    def _is_older_by_neighbours(self, one: Entry, other: Entry) -> bool | None:
        """Place what has no build time, or no rank, between the releases of the target that have both."""
        if one.rank is not None and other.built_ms is not None:
            before = any(rank >= one.rank and built < other.built_ms for rank, built in self._timed())
            after = any(rank <= one.rank and built >= other.built_ms for rank, built in self._timed())
        elif other.rank is not None and one.built_ms is not None:
            before = any(rank <= other.rank and built > one.built_ms for rank, built in self._timed())
            after = any(rank >= other.rank and built <= one.built_ms for rank, built in self._timed())
        else:
            return None
        return None if before == after else before

    def _timed(self) -> Iterator[tuple[Rank, int]]:
        for one in self.on_target:
            if one.rank is not None and one.built_ms is not None:
                yield one.rank, one.built_ms


def named(name: str, catalogue: Catalogue) -> Entry:
    """Return what is known of a release that the target does not have."""
    names = frozenset({name})
    return Entry(name, names, manifest=catalogue.manifest_of(names), marked=catalogue.mark_of(names))


def _entry(release: ReleaseSeen, releases: Iterable[ReleaseSeen], catalogue: Catalogue) -> Entry:
    twins = [one for one in releases if one is release or (release.content and one.content == release.content)]
    names = frozenset(word for one in twins for word in (one.name, *one.aliases, one.content) if word)
    return Entry(
        release.name,
        names,
        seen=release,
        rank=_rank(release),
        content=release.content,
        manifest=catalogue.manifest_of((release.name, *release.aliases)) or catalogue.manifest_of(names),
        marked=catalogue.mark_of(names),
    )


def _rank(release: ReleaseSeen) -> Rank:
    """Make any two orders comparable: numbers before words."""
    return tuple((True, 0, part) if isinstance(part, str) else (False, part, "") for part in release.order)
