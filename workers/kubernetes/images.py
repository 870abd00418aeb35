"""Names of images: what a spec asks for, what a pod says it runs, and how the two become one name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.kubernetes.marks import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workers.kubernetes.marks import Json

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_MOVING = frozenset(
    (
        *("latest", "stable", "main", "master", "trunk", "head", "tip", "develop", "dev", "edge", "nightly"),
        *("snapshot", "canary", "alpha", "beta", "rc", "testing", "staging", "prod", "production", "release"),
        "current",
    )
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a spec names it. `repository` is the spec's own text, registry and port included."""

    repository: str
    tag: str
    digest: str

    @property
    def is_mutable(self) -> bool:
        """Whether the name is known to mean another image from one day to the next."""
        return not self.digest and (not self.tag or self.tag.lower() in _MOVING)

    @property
    def full_repository(self) -> str:
        """The repository with the defaults that a container runtime adds: `nginx` is docker.io/library/nginx."""
        first, _, rest = self.repository.partition("/")
        if not rest:
            return f"docker.io/library/{first}"
        if first in ("docker.io", "index.docker.io"):
            return f"docker.io/{rest if '/' in rest else f'library/{rest}'}"
        has_registry = "." in first or ":" in first or first == "localhost"
        return self.repository if has_registry else f"docker.io/{self.repository}"


def read_image(text: str) -> Image:
    """Split what a spec says. A port belongs to the registry, a colon after the last slash begins a tag."""
    name, _, digest = text.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(f"{head}{slash}{last}", tag, digest)


def digest_of(image_id: str, spec_image: str) -> str | None:
    """Return the digest by which a spec's image can be pulled, from `imageID` in any container runtime's words.

    Only one of the spec's own repository: a node that knows the same bits by several names says any of them, and
    their digests need not be the same. A bare `sha256:…`, with or without `docker://`, is the digest of the
    image's configuration: it identifies the bits on that node and cannot be pulled, so it counts as none.
    """
    name, at, digest = image_id.rpartition("@")
    if not at or not _DIGEST.fullmatch(digest):
        return None
    _, _, repository = name.rpartition("://")
    alike = read_image(repository).full_repository == read_image(spec_image).full_repository
    return digest if alike else None


def pinned(spec_image: str, digest: str) -> str:
    """Return the name of exactly these bits, from where the spec itself takes them."""
    return f"{read_image(spec_image).repository}@{digest}"


def digests_of(pods: Iterable[Json], named: Mapping[str, str]) -> dict[str, str]:
    """Return each container's digest, where every one of these pods that knows it says the same.

    `named` is what the template calls the containers' images; others are left out.
    """
    seen: dict[str, set[str]] = {}
    for pod in pods:
        status = pod.get("status") or {}
        for kind in ("initContainerStatuses", "containerStatuses"):
            for container in status.get(kind) or ():
                if (image_id := container.get("imageID")) and (image := named.get(container["name"])):
                    seen.setdefault(container["name"], set()).add(digest_of(image_id, image) or "")
    return {name: digests.pop() for name, digests in seen.items() if len(digests) == 1 and "" not in digests}


def moved_in(pod: Json, named: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of containers whose image's tag leads to others than were wanted.

    A name that says its digest cannot be moved: where something else is reported of it, that is one image of an
    index, or the same bits under another digest.
    """
    by_tag = {name: image for name, image in named.items() if not read_image(image).digest}
    runs = digests_of([pod], by_tag)
    return {name: digest for name, digest in runs.items() if wanted.get(name, digest) != digest}


def version_of(template: Json, image: str) -> str:
    """Return what people call a release: its version label, else its image's tag, else the start of its digest."""
    if version := labels_of(template).get("app.kubernetes.io/version"):
        return str(version)
    named = read_image(image)
    return named.tag or named.digest.rpartition(":")[2][:12] or "latest"


def names_in(images: Mapping[str, str]) -> tuple[str, ...]:
    """Return every tag and full digest that these images are named by."""
    named = [read_image(image) for image in images.values()]
    return tuple(dict.fromkeys(word for image in named for word in (image.tag, image.digest) if word))


def mutable_in(images: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images whose name may mean other bits tomorrow."""
    return tuple(dict.fromkeys(image for image in images.values() if read_image(image).is_mutable))
