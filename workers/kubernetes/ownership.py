"""Who else decides what a workload is: who only packaged it, and who puts it back once it is changed. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.kubernetes import templates
from workers.kubernetes.marks import annotations_of, labels_of
from workers.kubernetes.pods import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.kubernetes.marks import Json

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_RECONCILERS = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "rollout.argoproj.io/": "Argo Rollouts",
    "rollouts.argoproj.io/": "Argo Rollouts",
    "flagger.app/": "Flagger",
}
_OWNERS = {"Rollout": "Argo Rollouts", "Canary": "Flagger"}
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "rollouts-controller": "Argo Rollouts",
    "flagger": "Flagger",
}


@dataclass(frozen=True, slots=True)
class Ownership:
    """`reconciler` undoes what we do, empty where nothing does. `note` says what the next deploy brings back."""

    reconciler: str = ""
    note: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know who reads that it was acted on all the same."""
        undone = f"{self.reconciler} may undo this at any time" if self.reconciler else ""
        return tuple(note for note in (undone, self.note) if note)


def ownership_of(workload: Json) -> Ownership:
    """Say who else decides about a workload."""
    return Ownership(_reconciler(workload), _packaged(workload))


def _reconciler(workload: Json) -> str:
    owner = owner_of(workload)
    if owner:
        return _OWNERS.get(str(owner.get("kind")), f"{owner.get('kind')} {owner.get('name')}")
    for key in (*annotations_of(workload), *labels_of(workload)):
        for prefix, name in _RECONCILERS.items():
            if key.startswith(prefix):
                return name
    return next((_MANAGERS[manager] for manager in _managers(workload) if manager in _MANAGERS), "")


def _managers(workload: Json) -> Iterable[str]:
    return (str(entry.get("manager", "")) for entry in workload["metadata"].get("managedFields") or ())


def _packaged(workload: Json) -> str:
    annotations = annotations_of(workload)
    release = annotations.get("meta.helm.sh/release-name")
    if release or labels_of(workload).get("app.kubernetes.io/managed-by") == "Helm":
        return f"the next `helm upgrade` of {release or 'its release'} brings back what the chart's values say"
    if _LAST_APPLIED in annotations:
        images = _images_applied(annotations[_LAST_APPLIED])
        return f"the next `kubectl apply` of the same files brings back {images or 'what they say'}"
    applied = [
        entry for entry in workload["metadata"].get("managedFields") or () if entry.get("operation") == "Apply"
    ]
    if applied:
        return f"the next server-side apply by {applied[0].get('manager')} brings back what it says"
    return ""


def _images_applied(text: str) -> str:
    try:
        template = json.loads(text)["spec"]["template"]
        return ", ".join(templates.images(template).values())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
