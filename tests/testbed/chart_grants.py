"""What the chart gives its workers in a cluster: its own rendered roles, also with one right taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from testbed import access
from testbed.access import RBAC
from testbed.chart_shapes import MINIMAL, of_kind
from testbed.cluster import Cluster as TestCluster
from testbed.helm_engine import Manifest, manifests
from testbed.kube_api import MERGE, KubeApi, path_of
from testbed.wait import until
from workers.kubernetes.paths import read_path
from workers.kubernetes.rights import Right, right_for

_REVIEWS = "/apis/authorization.k8s.io/v1"
_METHODS = {"PATCH": "patch", "DELETE": "delete", "POST": "create"}
Rules = list[dict[str, list[str]]]


class Grain(NamedTuple):
    """One verb on one resource: the least that a Role can give or lack."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        """Name it as our messages do."""
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")

    @property
    def right(self) -> Right:
        """The line of the table that grants it."""
        return right_for(self.verb, self.group, self.resource)


def grains(rights: Iterable[Right]) -> tuple[Grain, ...]:
    """Take lines of the table apart."""
    return tuple(Grain(v, right.group, r) for right in rights for r in right.resources for v in right.verbs)


def grains_of_rules(rules: Rules) -> frozenset[Grain]:
    """Take rules of a Role apart."""
    return frozenset(
        Grain(v, g, r)
        for rule in rules
        for g in rule["apiGroups"]
        for r in rule["resources"]
        for v in rule["verbs"]
    )


def needed_by(method: str, path: str) -> Grain | None:
    """Return the right that a call needs; None for what everybody may."""
    where = read_path(path)
    if not where.resource or where.group == "authorization.k8s.io":
        return None
    verb = _METHODS.get(method) or ("get" if where.name else "list")
    return Grain(verb, where.group, where.resource)


def installed(cluster: TestCluster, home: str, targets: Mapping[str, Any], *, name: str = "rb") -> list[Manifest]:
    """Render the chart's least shape, with the Valkey that needs no volume, and make its accounts and roles."""
    values = {
        **MINIMAL,
        "valkey": {"enabled": True, "persistence": {"enabled": False}},
        "targets": targets,
    }
    objects = manifests(values, name=name, namespace=home, kubernetes="v1.20.0")
    for one in of_kind(objects, "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        cluster.apply(one, one["metadata"].get("namespace", ""))
    return objects


@dataclass(frozen=True, slots=True)
class Granted:
    """The workers' account of one installation, and its roles."""

    cluster: TestCluster
    home: str
    account: str
    roles: tuple[Manifest, ...]
    kubeconfig: Path
    api: KubeApi

    @classmethod
    def by(cls, cluster: TestCluster, objects: list[Manifest]) -> Granted:
        """Take the account and its roles out of what the chart made."""
        roles = tuple(of_kind(objects, "Role", "ClusterRole"))
        subjects = [s for b in of_kind(objects, "RoleBinding", "ClusterRoleBinding") for s in b["subjects"]]
        ((name, home),) = {(subject["name"], subject["namespace"]) for subject in subjects}
        kubeconfig = access.kubeconfig(cluster.api, name, home, cluster.folder)
        return cls(cluster, home, name, roles, kubeconfig, KubeApi.from_kubeconfig(kubeconfig))

    @property
    def given(self) -> frozenset[Grain]:
        """All that the roles grant."""
        return frozenset().union(*(grains_of_rules(role["rules"]) for role in self.roles))

    def all_but(self, *missing: Grain) -> None:
        """Give what the chart gives, save this; return once the API server goes by it."""
        for role in self.roles:
            left = sorted(grains_of_rules(role["rules"]) - {*missing})
            rules = [{"apiGroups": [g.group], "resources": [g.resource], "verbs": [g.verb]} for g in left]
            where = role["metadata"]
            path = path_of(role["kind"], where.get("namespace"), where["name"], f"{RBAC}/v1")
            self.cluster.api.call("PATCH", path, {"rules": rules}, sends=MERGE)
        wanted = self.given - {*missing}
        until(lambda: self._allowed() == wanted, within_s=20, what=f"the rights without {missing} are in force")

    def forget(self) -> None:
        """Take away what is outside the namespaces."""
        for role in self.roles:
            for kind in {"ClusterRole", "ClusterRoleBinding"} & {role["kind"], f"{role['kind']}Binding"}:
                self.cluster.delete(kind, None, role["metadata"]["name"])

    def _allowed(self) -> frozenset[Grain]:
        where = self.roles[0]["metadata"].get("namespace", "")
        return frozenset(grain for grain in self.given if may(self.api, grain, where))


def may(api: KubeApi, grain: Grain, namespace: str) -> bool:
    """Ask the API server what it would let this user do; an empty namespace means all of them."""
    resource, _, part = grain.resource.partition("/")
    about = {"verb": grain.verb, "group": grain.group, "resource": resource, "subresource": part}
    spec = {"resourceAttributes": {**about, "namespace": namespace}}
    return bool(_review(api, "SelfSubjectAccessReview", spec)["allowed"])


def everything_allowed(api: KubeApi, namespace: str) -> frozenset[Grain]:
    """Return all that this user may in a namespace, by the API server's own word."""
    status = _review(api, "SelfSubjectRulesReview", {"namespace": namespace})
    assert not status["incomplete"]
    return grains_of_rules(status["resourceRules"])


def _review(api: KubeApi, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": dict(spec)}
    return dict(api.call("POST", f"{_REVIEWS}/{kind.lower()}s", body)["status"])
