"""What is written to bring an earlier release back: its template or its images, by tag or by digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason
from rules.rule import Pin, Restore
from workers.kubernetes import images, templates

if TYPE_CHECKING:
    from rules.observations import Drop
    from workers.kubernetes.history import Revision
    from workers.kubernetes.marks import Json

Digests: TypeAlias = Mapping[str, str]
"""Container → digest."""

NO_DIGESTS: Digests = {}


@dataclass(frozen=True, slots=True)
class Restoration:
    """A template to write. `digests` is what its pods must be seen to run then, as far as it is known."""

    template: Json
    digests: Digests = field(default_factory=dict)
    note: str = ""


def restoration(
    revision: Revision, present: Json, restore: Restore, pin: Pin, recorded: Digests
) -> Restoration | Drop:
    """Say what brings a revision back, or why it cannot be."""
    known = known_digests(revision, recorded)
    named = templates.images(revision.template)
    by_images = restore is Restore.IMAGES
    # Pinning makes a revision of its own: as long as pods of this one run, its template alone keeps them.
    if pin is Pin.NEVER or (revision.serves and not by_images):
        wanted, note = named, ""
    else:
        wanted = {name: _exact(image, known.get(name)) for name, image in named.items()}
        if moving := images.mutable_in(wanted):
            return _digest_unknown(moving)
        note = _trusted(wanted)
    if not by_images:
        template = templates.with_images(templates.writable(revision.template), wanted)
        return Restoration(template, known, note)
    return _by_images(present, wanted, Restoration({}, known, note))


def known_digests(revision: Revision, recorded: Digests) -> dict[str, str]:
    """Return what a revision's containers are known to run: by its spec, its pods, else as recorded."""
    named = templates.images(revision.template)
    in_spec = {name: digest for name, image in named.items() if (digest := images.read_image(image).digest)}
    seen = {**recorded, **images.digests_of((p for p in revision.pods if images.digests_of([p], named)), named)}
    return {name: digest for name, digest in {**seen, **in_spec}.items() if name in named}


def _by_images(present: Json, wanted: Mapping[str, str], found: Restoration) -> Restoration | Drop:
    missing = templates.without_counterpart(present, wanted)
    if missing:
        detail = (
            f"it has no container {', '.join(missing)}, which the present template has: use `restore: template`"
        )
        return Reason.RELEASE_INCOMPLETE, detail
    template = templates.with_images(templates.writable(present), wanted)
    if templates.same(template, present):
        return Reason.SAME_IMAGES, "it has the images that run now and differs otherwise: use `restore: template`"
    return Restoration(template, found.digests, found.note)


def _exact(image: str, digest: str | None) -> str:
    return images.pinned(image, digest) if digest and not images.read_image(image).digest else image


def _digest_unknown(moving: tuple[str, ...]) -> Drop:
    detail = (
        f"{', '.join(moving)} may be another image by now, and which one it was is not recorded: "
        "deploy it by its digest, or say `pin: never`"
    )
    return Reason.DIGEST_UNKNOWN, detail


def _trusted(wanted: Mapping[str, str]) -> str:
    by_tag = sorted({image for image in wanted.values() if not images.read_image(image).digest})
    return f"no digest is recorded for {', '.join(by_tag)}: the tag is trusted" if by_tag else ""
