"""From a look at a workload to the releases that the core chooses from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from rules.observations import ReleaseSeen
from workers.kubernetes import images, templates
from workers.kubernetes.history import rank
from workers.kubernetes.marks import labels_of
from workers.kubernetes.restoring import NO_DIGESTS, Digests, Restoration, known_digests, restoration

if TYPE_CHECKING:
    from rules.rule import Pin, Restore
    from workers.kubernetes.history import Revision
    from workers.kubernetes.live import Live

Recorded: TypeAlias = Mapping[str, Digests]
"""Revision hash → container → digest, as noted while it was healthy."""

_NAMING_LABELS = ("app.kubernetes.io/version", "helm.sh/chart")
"""Labels that say what a release is called, and not what it does."""


def releases_seen(live: Live, recorded: Recorded, restore: Restore, pin: Pin) -> tuple[ReleaseSeen, ...]:
    """Return what runs and what can be gone back to, each by a name of its own.

    Whatever is not the present template is older than it: what comes again gets a new number.
    """
    seen: dict[str, ReleaseSeen] = {}
    if live.current is not None:
        name = live.name_of(live.current)
        order, note = (1, 1, live.current.number), _moving(live.current)
        content = content_of(live.current, recorded)
        seen[name] = ReleaseSeen(
            name, order, aliases=aliases_of(live.current, recorded, name), note=note, content=content
        )
    for revision in live.earlier:
        name = live.name_of(revision)
        # The same name again is the same bits: a release that was pinned, and the revision it came from.
        if name not in seen:
            seen[name] = _earlier(live, revision, recorded, restore, pin)
    return tuple(seen.values())


def _earlier(live: Live, revision: Revision, recorded: Recorded, restore: Restore, pin: Pin) -> ReleaseSeen:
    found = restoration(revision, live.template, restore, pin, recorded.get(revision.hash, NO_DIGESTS))
    name, order = live.name_of(revision), (0, *rank(revision))
    aliases = aliases_of(revision, recorded, name)
    seen = ReleaseSeen(name, order, aliases=aliases, content=content_of(revision, recorded))
    if isinstance(found, Restoration):
        return replace(seen, note=found.note)
    reason, why = found
    return replace(seen, unfit=(reason, f"{name}: {why}"))


def content_of(revision: Revision, recorded: Recorded) -> str:
    """Identify what a revision runs, whatever its tags say: its template with each image's digest.

    Empty where the digest of a container is not known. The same images with other settings are another release.
    """
    known = known_digests(revision, recorded.get(revision.hash, NO_DIGESTS))
    named = templates.images(revision.template)
    if not named or named.keys() - known.keys():
        return ""
    plain = templates.with_images(revision.template, known)
    labels = plain.get("metadata", {}).get("labels") or {}
    for label in _NAMING_LABELS:
        labels.pop(label, None)
    return templates.sha_of(plain)


def _moving(revision: Revision) -> str:
    """Name the images of what runs by whose names nobody can tell what runs."""
    moving = images.mutable_in(templates.images(revision.template))
    return f"it runs {', '.join(moving)}: a tag that moves" if moving else ""


def aliases_of(revision: Revision, recorded: Recorded, name: str) -> tuple[str, ...]:
    """Return the other words for a release: versions, tags, digests and revision numbers.

    What we brought under a name keeps that one's version, though its images may be pinned.
    """
    template, named = revision.template, templates.images(revision.template)
    label = labels_of(template).get("app.kubernetes.io/version", "")
    version = images.version_of(template, templates.first_image(template))
    digests = known_digests(revision, recorded.get(revision.hash, NO_DIGESTS)).values()
    words = (name.rpartition("+")[0], version, label, *images.names_in(named), *digests, *revision.numbers)
    return tuple(dict.fromkeys(word for word in words if word))
