"""Whether an owner is one that we may pause: it keeps this workload here, and nobody keeps the owner. Pure.

Who may write a workload's labels could name any owner there. So the owner's own status, or for a HelmRelease the
namespace it installs into, has to agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.kubernetes.gitops.kinds import KUSTOMIZATION
from workers.kubernetes.gitops.naming import API_KINDS, Named, owned
from workers.kubernetes.marks import annotations_of, labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.instances import WorkloadInstance
    from workers.kubernetes.marks import Json

_HERE = ("https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local")
_KEPT_BY = {
    "argocd.argoproj.io/tracking-id": "Argo CD Application",
    "argocd.argoproj.io/instance": "Argo CD Application",
    "app.kubernetes.io/instance": "Argo CD Application, or a Helm release,",
    "kustomize.toolkit.fluxcd.io/name": "Flux Kustomization",
    "helm.toolkit.fluxcd.io/name": "Flux HelmRelease",
}
_APPLIERS = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "flux-operator": "the Flux operator",
}


def require_free(named: Named, owner: Json) -> None:
    """Raise `Permanent` where somebody keeps the owner too: what we write into it would be undone."""
    keeper = _keeper(owner)
    if keeper:
        raise owned(f"{named} is itself kept by {keeper}, which would undo a pause")


def require_keeps(named: Named, owner: Json, instance: WorkloadInstance) -> None:
    """Raise `Permanent` unless the owner says itself that it keeps this workload, in this cluster."""
    if elsewhere := _elsewhere(named, owner):
        raise owned(f"{named} is there, but keeps what is in {elsewhere}, and not in this cluster")
    if not keeps(named, owner, instance):
        raise owned(f"the marks on {instance.label} name {named}, which does not list it among what it keeps")


def keeps(named: Named, owner: Json, instance: WorkloadInstance) -> bool:
    """Whether the owner says that it keeps a workload."""
    status = owner.get("status") or {}
    if named.kind.is_argo:
        return entry_of(owner, instance) is not None
    listed = [str(entry.get("id", "")) for entry in (status.get("inventory") or {}).get("entries") or ()]
    itself = f"{instance.namespace}_{instance.name}_apps_{API_KINDS[instance.kind]}"
    if named.kind is KUSTOMIZATION or listed:
        return itself in listed
    into: str = owner["spec"].get("targetNamespace") or owner["metadata"]["namespace"]
    return instance.namespace == into


def entry_of(application: Json, instance: WorkloadInstance) -> Json | None:
    """Return what an Application's status says of a workload; None where it does not know of it."""
    wanted = ("apps", API_KINDS[instance.kind], instance.namespace, instance.name)
    entries: Iterable[Json] = (application.get("status") or {}).get("resources") or ()
    return next(
        (e for e in entries if tuple(e.get(k) for k in ("group", "kind", "namespace", "name")) == wanted), None
    )


def _keeper(owner: Json) -> str:
    for reference in owner["metadata"].get("ownerReferences") or ():
        return f"{reference.get('kind')} {reference.get('name')}"
    marked: dict[str, str] = {**labels_of(owner), **annotations_of(owner)}
    for key, who in _KEPT_BY.items():
        if key in marked:
            return f"{who} {marked[key].partition(':')[0]}"
    entries: Iterable[Any] = owner["metadata"].get("managedFields") or ()
    applied = [entry.get("manager") for entry in entries if entry.get("operation") == "Apply"]
    return next((_APPLIERS[manager] for manager in applied if manager in _APPLIERS), "")


def _elsewhere(named: Named, owner: Json) -> str:
    """Name the other cluster that an owner looks after; empty where it is this one."""
    spec = owner["spec"]
    if named.kind.is_argo:
        to = spec.get("destination") or {}
        if to.get("server") in _HERE or to.get("name") == "in-cluster":
            return ""
        return f"cluster {to.get('server') or to.get('name') or 'unsaid'}"
    return "the cluster of its kubeConfig" if spec.get("kubeConfig") else ""
