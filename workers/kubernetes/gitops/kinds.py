"""The kinds of owner that can be told to stop, each by its documented field. Pure.

Argo CD applies by itself where `spec.syncPolicy.automated` is there and not `enabled: false`. It is taken away
whole and kept in our annotation: older versions do not know `enabled`, and would drop it and go on.
Flux does nothing where `spec.suspend` is true.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.kubernetes.marks import Json
    from workers.kubernetes.patches import Patch


@dataclass(frozen=True, slots=True)
class OwnerKind:
    """One kind of owner. `versions` are those whose fields we know, the newest first."""

    name: str
    tool: str
    group: str
    plural: str
    versions: tuple[str, ...]
    does: str
    """What pausing one means, in words."""

    @property
    def is_argo(self) -> bool:
        """Whether Argo CD reads it."""
        return self.tool == "Argo CD"


APPLICATION = OwnerKind(
    "Application",
    "Argo CD",
    "argoproj.io",
    "applications",
    ("v1alpha1",),
    "take spec.syncPolicy.automated away",
)
KUSTOMIZATION = OwnerKind(
    "Kustomization",
    "Flux",
    "kustomize.toolkit.fluxcd.io",
    "kustomizations",
    ("v1", "v1beta2", "v1beta1"),
    "set spec.suspend",
)
HELM_RELEASE = OwnerKind(
    "HelmRelease",
    "Flux",
    "helm.toolkit.fluxcd.io",
    "helmreleases",
    ("v2", "v2beta2", "v2beta1"),
    "set spec.suspend",
)
KINDS = {kind.name: kind for kind in (APPLICATION, KUSTOMIZATION, HELM_RELEASE)}


def reconciles(kind: OwnerKind, owner: Json) -> bool:
    """Whether it puts back by itself what somebody changes."""
    if kind.is_argo:
        automated = _policy(owner).get("automated")
        return automated is not None and automated.get("enabled") is not False
    return owner["spec"].get("suspend") is not True


def is_as_paused(kind: OwnerKind, owner: Json) -> bool:
    """Whether the field is as a pause of ours leaves it."""
    if kind.is_argo:
        return _policy(owner).get("automated") is None
    return owner["spec"].get("suspend") is True


def setting(kind: OwnerKind, owner: Json) -> dict[str, Any]:
    """Return what a pause changes, as it is now and has to be put back; without a word for what is unset."""
    part, field = (_policy(owner), "automated") if kind.is_argo else (owner["spec"], "suspend")
    return {field: copy.deepcopy(part[field])} if field in part else {}


def pause_ops(kind: OwnerKind) -> Patch:
    """Stop it."""
    if kind.is_argo:
        return [{"op": "remove", "path": "/spec/syncPolicy/automated"}]
    return [{"op": "add", "path": "/spec/suspend", "value": True}]


def resume_ops(kind: OwnerKind, owner: Json, was: Json) -> Patch:
    """Put back what `setting` returned before."""
    if kind.is_argo:
        if "automated" not in was:
            return []
        if "syncPolicy" not in owner["spec"]:
            return [{"op": "add", "path": "/spec/syncPolicy", "value": {"automated": was["automated"]}}]
        return [{"op": "add", "path": "/spec/syncPolicy/automated", "value": was["automated"]}]
    if "suspend" in was:
        return [{"op": "add", "path": "/spec/suspend", "value": was["suspend"]}]
    return [{"op": "remove", "path": "/spec/suspend"}]


def wants_sum(owner: Json) -> str:
    """Identify what an owner wants, paused or not: the rest of its spec."""
    spec = copy.deepcopy(dict(owner["spec"]))
    spec.pop("suspend", None)
    policy = dict(spec.pop("syncPolicy", None) or {})
    policy.pop("automated", None)
    text = json.dumps({**spec, **({"syncPolicy": policy} if policy else {})}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _policy(owner: Json) -> Json:
    policy: Json = owner["spec"].get("syncPolicy") or {}
    return policy
