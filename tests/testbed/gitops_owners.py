"""Owners of workloads as Argo CD and Flux have them: their kinds, and objects of these kinds. No controller runs.

What their controllers write into `status` is written here by the test, in the places where theirs stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from testbed.cluster import Cluster, Object
from testbed.kube_api import MERGE, path_of
from testbed.wait import until

ARGO, KUSTOMIZE, HELM = "argoproj.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
VERSIONS = {
    "Application": f"{ARGO}/v1alpha1",
    "Kustomization": f"{KUSTOMIZE}/v1",
    "HelmRelease": f"{HELM}/v2",
}


def definition(kind: str) -> Object:
    """Return a minimal definition of a kind: what we do not look at is kept as it is."""
    group, version = VERSIONS[kind].split("/")
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    plural = f"{kind.lower()}s"
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if kind != "Application":  # as in the real ones
        served["subresources"] = {"status": {}}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }


def define(cluster: Cluster) -> None:
    """Define the kinds where they are not known yet; a lent cluster has to know them already."""
    known = {str(made["metadata"]["name"]) for made in cluster.all("CustomResourceDefinition", None)}
    for made in map(definition, VERSIONS):
        if made["metadata"]["name"] not in known:
            assert cluster.control
            cluster.create(made)

    def served() -> bool:
        return all(cluster.all(kind, None, version=version) is not None for kind, version in VERSIONS.items())

    until(served, within_s=30, what="the kinds are served")


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner in a cluster."""

    cluster: Cluster
    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Where it is."""
        return path_of(self.kind, self.namespace, self.name, VERSIONS[self.kind])

    def make(self, spec: Mapping[str, Any], status: Mapping[str, Any], **metadata: Any) -> Object:
        """Make it."""
        body = {"apiVersion": VERSIONS[self.kind], "kind": self.kind, "spec": dict(spec)}
        self.cluster.create({**body, "metadata": {"name": self.name, **metadata}}, self.namespace)
        self.says(status)
        return self.now()

    def now(self) -> Object:
        """Return it as it is."""
        return dict(self.cluster.api.call("GET", self.path))

    def wants(self, spec: Mapping[str, Any], **metadata: Any) -> None:
        """Change what it wants, as a person or a pipeline does."""
        body = {"spec": dict(spec), **({"metadata": metadata} if metadata else {})}
        self.cluster.api.call("PATCH", self.path, body, sends=MERGE)

    def says(self, status: Mapping[str, Any]) -> None:
        """Let it say something, as its controller does."""
        path = self.path if self.kind == "Application" else f"{self.path}/status"
        self.cluster.api.call("PATCH", path, {"status": dict(status)}, sends=MERGE)


SOURCE = {"repoURL": "https://git.example/shop", "path": "prod", "targetRevision": "main"}


def application(
    cluster: Cluster, namespace: str, name: str = "shop", workloads: tuple[str, ...] = ("web",)
) -> Owner:
    """Return an Application that syncs by itself and keeps Deployments of the same namespace."""
    owner = Owner(cluster, "Application", namespace, name)
    spec = {
        "source": SOURCE,
        "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
    }
    owner.make(spec, compared(namespace, "aaaa", "Synced", workloads))
    return owner


def compared(
    namespace: str, revision: str, status: str, workloads: tuple[str, ...] = ("web",), *, later_s: float = 0
) -> dict[str, Any]:
    """Return what Argo CD says after it compared what is there with a revision."""
    at = (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = [
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": namespace, "name": name}
        for name in workloads
    ]
    return {
        "reconciledAt": at,
        "sync": {"status": status, "revision": revision, "comparedTo": {"source": SOURCE}},
        "resources": [{**entry, "status": status} for entry in entries],
    }


def kustomization(cluster: Cluster, namespace: str, name: str = "shop", **spec: Any) -> Owner:
    """Return a Kustomization that keeps the Deployment `web`."""
    owner = Owner(cluster, "Kustomization", namespace, name)
    entries = [{"id": f"{namespace}_web_apps_Deployment", "v": "v1"}]
    status = {"inventory": {"entries": entries}, "lastAttemptedRevision": "main@sha1:aaaa"}
    source = {"kind": "GitRepository", "name": "shop"}
    owner.make({"interval": "1m", "path": "./prod", "prune": True, "sourceRef": source, **spec}, status)
    return owner


def helm_release(cluster: Cluster, namespace: str, name: str = "shop", *, tag: str = "bad", **spec: Any) -> Owner:
    """Return a HelmRelease that installs into its own namespace."""
    owner = Owner(cluster, "HelmRelease", namespace, name)
    chart = {
        "spec": {"chart": "shop", "version": "1.2.3", "sourceRef": {"kind": "HelmRepository", "name": "shop"}}
    }
    owner.make({"interval": "1m", "chart": chart, "values": {"image": {"tag": tag}}, **spec}, {})
    return owner


def marks_of(owner: Owner, workload: str = "web") -> dict[str, dict[str, str]]:
    """Return the labels and annotations that a workload of an owner carries."""
    if owner.kind == "Application":
        tracking = f"{owner.namespace}_{owner.name}:apps/Deployment:{owner.namespace}/{workload}"
        return {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}
    group = VERSIONS[owner.kind].split("/")[0]
    return {"labels": {f"{group}/name": owner.name, f"{group}/namespace": owner.namespace}}
