"""What of a plan, or of a journal, whoever may read is shown: releases and images, never a whole pod template.

A template holds what a workload is configured with, secrets as plain `env` values among it. A worker that takes
over needs all of that; who may see rollbacks is not always one who may see workloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.plans import StepKind

_SHOWN = (
    *("release", "from", "digests", "notes", "settled", "effect", "who", "why"),
    *("sha", "replicas", "paused"),
)
"""What is shown of a change; whatever else a driver keeps there is for the workers alone."""
_KINDS_OF_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def plan_shown(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan as it may be shown; one that another version made is shown as far as it is understood."""
    steps = [_step_shown(step) for step in plan.get("steps") or ()]
    return {**without_templates({**plan, "steps": ()}), "steps": steps}


def without_templates(value: Any) -> Any:
    """Return data with the images of each pod template in it, or each pod, in the place of the whole."""
    if isinstance(value, Mapping):
        if _holds_containers(value) or _holds_containers(value.get("spec")):
            return {"images": _images(value)}
        return {key: without_templates(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_templates(one) for one in value]
    return value


def _step_shown(step: Mapping[str, Any]) -> dict[str, Any]:
    values = step.get("values") or {}
    if step.get("kind") != StepKind.PATCH:
        return {**step, "values": without_templates(values)}
    was = values.get("was") or {}
    before = _change_shown({**(was.get("spec") or {}), "sha": was.get("sha")})
    shown_was = {
        "metadata": {"uid": (was.get("metadata") or {}).get("uid")},
        "spec": {key: before.get(key) for key in ("template", "replicas", "paused")},
        "sha": was.get("sha"),
    }
    return {**step, "values": {**_change_shown(values), "was": shown_was}}


def _change_shown(values: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: without_templates(values[key]) for key in _SHOWN if key in values}
    template = values.get("template")
    return {**shown, "template": template and {"images": _images(template), "sha": values.get("sha")}}


def _holds_containers(value: object) -> bool:
    return isinstance(value, Mapping) and any(isinstance(value.get(kind), list) for kind in _KINDS_OF_CONTAINERS)


def _images(template: Any) -> dict[str, str]:
    """Return each container's image by the container's name, of a template or of what is in its `spec`."""
    spec = template.get("spec", template) if isinstance(template, Mapping) else {}
    listed = [one for kind in _KINDS_OF_CONTAINERS for one in (spec.get(kind) or ())]
    return {str(one.get("name", "")): str(one.get("image", "")) for one in listed if isinstance(one, Mapping)}
