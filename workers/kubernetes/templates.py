"""Pod templates: when two are the same, and what is written to bring an old one back. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workers.kubernetes.marks import Json

HASH_LABELS = ("pod-template-hash", "controller-revision-hash")
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_KINDS_OF_CONTAINERS = ("initContainers", "containers")


def writable(template: Json) -> dict[str, Any]:
    """Return a historical template as it was asked for: without what its controller or its history added.

    Everything else stays as it is, `restartedAt` too: only then does the controller know its own old revision
    again, and keep the pods that still run it.
    """
    asked = copy.deepcopy(dict(template))
    asked.pop("$patch", None)
    labels = asked.get("metadata", {}).get("labels") or {}
    for label in HASH_LABELS:
        labels.pop(label, None)
    return asked


def normalised(template: Json) -> dict[str, Any]:
    """Return what makes one template another release: nothing that a restart or a controller adds."""
    plain = writable(template)
    metadata = plain.get("metadata") or {}
    if metadata.get("annotations"):
        metadata["annotations"].pop(_RESTARTED_AT, None)
    plain["metadata"] = {name: value for name, value in metadata.items() if value and name != "creationTimestamp"}
    return plain


def same(one: Json, other: Json) -> bool:
    """Whether two templates are one release."""
    return normalised(one) == normalised(other)


def sha_of(template: Json) -> str:
    """Identify a template by its content."""
    text = json.dumps(normalised(template), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def containers(template: Json) -> Iterator[Json]:
    """Yield every container, those that only prepare first."""
    spec = template.get("spec") or {}
    for kind in _KINDS_OF_CONTAINERS:
        yield from spec.get(kind) or ()


def images(template: Json) -> dict[str, str]:
    """Return each container's image by the container's name."""
    return {str(container["name"]): str(container.get("image", "")) for container in containers(template)}


def first_image(template: Json) -> str:
    """Return the image that gives a release its version: that of the first container."""
    listed: Any = (template.get("spec") or {}).get("containers") or ({},)
    return str(listed[0].get("image", ""))


def with_images(template: Json, wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the template with other images, by container name; containers that are not named keep theirs."""
    changed = copy.deepcopy(dict(template))
    for kind in _KINDS_OF_CONTAINERS:
        for container in changed.get("spec", {}).get(kind) or ():
            container["image"] = wanted.get(container["name"], container.get("image", ""))
    return changed


def without_counterpart(template: Json, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Return the containers for which `wanted` has no image."""
    return tuple(name for name in images(template) if name not in wanted)
