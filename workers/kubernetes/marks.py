"""What we write on a workload, so that the next of us knows what was done to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]
"""An object of the API as it was sent."""

MANAGER = "rollback-controller"
"""The field manager of our writes, and the source of our Events."""

PREFIX = "rollback-controller.io/"
FENCE = f"{PREFIX}fence"
EFFECT = f"{PREFIX}effect"
ROLLBACK = f"{PREFIX}rollback"
RULE = f"{PREFIX}rule"
RELEASE = f"{PREFIX}release"
TEMPLATE = f"{PREFIX}template"
REPLICAS = f"{PREFIX}replicas"
CHANGE_CAUSE = "kubernetes.io/change-cause"

SCALED_TO_ZERO = "scaled-to-zero"
"""What a workload without pods is said to run, after we took them away."""


def annotations_of(obj: Json) -> Mapping[str, str]:
    """Return an object's annotations; the API leaves the field out where there is none."""
    return obj.get("metadata", {}).get("annotations") or {}


def labels_of(obj: Json) -> Mapping[str, str]:
    """Return an object's labels."""
    return obj.get("metadata", {}).get("labels") or {}


def fence_of(workload: Json) -> int:
    """Return the highest fence that a workload has seen; what is no number counts as none."""
    text = annotations_of(workload).get(FENCE, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def count_kept(workload: Json) -> int | None:
    """Return how many pods there were before we took them all away; None where it is not us who did."""
    ours = annotations_of(workload)
    text = ours.get(REPLICAS, "")
    if workload["spec"].get("replicas") != 0 or ours.get(RELEASE) != SCALED_TO_ZERO:
        return None
    return int(text) or None if text.isascii() and text.isdigit() else None


def release_written(obj: Json, template_sha: str) -> str | None:
    """Return the release that we say was brought, as long as the template is still the one we wrote.

    ReplicaSets carry copies of their Deployment's annotations, of later releases too: only the sum counts.
    """
    ours = annotations_of(obj)
    return ours.get(RELEASE) if ours.get(TEMPLATE) == template_sha else None
