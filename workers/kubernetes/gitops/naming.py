"""Which owner a workload's marks name. Pure: whether that owner knows of it is asked of the owner itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.gitops.kinds import APPLICATION, HELM_RELEASE, KUSTOMIZATION, OwnerKind
from workers.kubernetes.marks import annotations_of, labels_of
from workers.kubernetes.pods import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.instances import WorkloadInstance
    from workers.kubernetes.marks import Json

_TRACKING = "argocd.argoproj.io/tracking-id"
_INSTANCE_LABELS = ("argocd.argoproj.io/instance", "app.kubernetes.io/instance")
API_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
"""What the API calls the kinds of workloads."""


class Named(NamedTuple):
    """An owner by name. `namespace` is empty where the marks do not say it: the one that Argo CD runs in."""

    kind: OwnerKind
    namespace: str
    name: str

    def __str__(self) -> str:
        """Name it for people."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.tool} {self.kind.name} {where}{self.name}"


def owned(message: str) -> Permanent:
    """Say why an owner is not paused, and with it that nothing is changed."""
    return Permanent(
        Reason.GITOPS_OWNED,
        f"{message}. Nothing was changed: go back in Git, or let the rule say `guards: {{gitops: force}}`",
    )


def owner_named(workload: Json, instance: WorkloadInstance, reconciler: str) -> Named:
    """Return the one owner that a workload's marks name; raises `Permanent` for none, several, or an operator."""
    if controller := owner_of(workload):
        what = f"{controller.get('kind')} {controller.get('name')}"
        raise owned(f"{what} controls {instance.label}, and nothing is known of how to pause that")
    found = [*_of_flux(workload), *_of_argo(workload, instance, reconciler)]
    if not found:
        raise owned(f"{reconciler} keeps {instance.label}, and no mark on it names an owner that can be paused")
    if len(found) > 1:
        both = " and ".join(str(one) for one in found)
        raise owned(f"the marks on {instance.label} name {both}: which one keeps it cannot be told")
    return found[0]


def _of_flux(workload: Json) -> Iterator[Named]:
    labels = labels_of(workload)
    for kind in (KUSTOMIZATION, HELM_RELEASE):
        name, namespace = (labels.get(f"{kind.group}/{part}", "") for part in ("name", "namespace"))
        if name and namespace:
            yield Named(kind, namespace, name)


def _of_argo(workload: Json, instance: WorkloadInstance, reconciler: str) -> Iterator[Named]:
    """Yield the Application, by the annotation; by a label only where Argo CD is known to be at work.

    `app.kubernetes.io/instance` alone is what many charts write, and says nothing of Argo CD.
    """
    tracked = annotations_of(workload).get(_TRACKING)
    if tracked is not None:
        app, _, about = tracked.partition(":")
        itself = f"apps/{API_KINDS[instance.kind]}:{instance.namespace}/{instance.name}"
        if about != itself or not app:
            raise owned(f"{_TRACKING} on {instance.label} is about {about or 'nothing'}, as on a copy of another")
        yield _application(app)
    elif reconciler == APPLICATION.tool:
        labels = labels_of(workload)
        yield from (_application(labels[key]) for key in _INSTANCE_LABELS[:1] if labels.get(key))
        if not labels.get(_INSTANCE_LABELS[0]) and labels.get(_INSTANCE_LABELS[1]):
            yield _application(labels[_INSTANCE_LABELS[1]])


def _application(said: str) -> Named:
    """Read `NAME`, or `NAMESPACE_NAME` for an Application that lives beside Argo CD's own namespace."""
    namespace, _, name = said.rpartition("_")
    return Named(APPLICATION, namespace, name)
