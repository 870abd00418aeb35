"""Users of a cluster with narrow rights: service accounts, their roles and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from testbed.kube_api import KubeApi, path_of, write_kubeconfig
from testbed.wait import until

Rule = dict[str, list[str]]
"""`{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}`."""

READS: list[Rule] = [
    {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["*"], "verbs": ["get", "list", "watch"]},
]
"""What a person who only looks may do."""
RBAC = "rbac.authorization.k8s.io"


def grant(api: KubeApi, name: str, namespace: str, rules: Sequence[Rule], *, everywhere: bool) -> None:
    """Make the service account with its role, and wait until the API server goes by it."""
    _create(api, "ServiceAccount", namespace, {"metadata": {"name": name}})
    kind = "ClusterRole" if everywhere else "Role"
    role = f"{namespace}-{name}" if everywhere else name
    _create(api, kind, namespace, {"metadata": {"name": role}, "rules": list(rules)})
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    _create(api, f"{kind}Binding", namespace, binding)
    for rule in rules:
        until(partial(_may, api, name, namespace, rule), within_s=20, what=f"{name} may {rule}")


def token(api: KubeApi, name: str, namespace: str) -> str:
    """Ask for a new token; it is good for an hour."""
    path = f"{path_of('ServiceAccount', namespace, name)}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return str(api.call("POST", path, asked)["status"]["token"])


def kubeconfig(api: KubeApi, name: str, namespace: str, folder: Path) -> Path:
    """Write the account's kubeconfig."""
    file = folder / f"{namespace}-{name}.kubeconfig"
    return write_kubeconfig(file, api.server, api.authority, token(api, name, namespace), namespace)


def _create(api: KubeApi, kind: str, namespace: str, body: dict[str, Any]) -> None:
    version = "v1" if kind == "ServiceAccount" else f"{RBAC}/v1"
    api.call("POST", path_of(kind, namespace), {"apiVersion": version, "kind": kind, **body})


def _may(api: KubeApi, name: str, namespace: str, rule: Rule) -> bool:
    """Whether the first that the rule grants is granted."""
    if not rule.get("resources"):
        return True
    resource, _, part = rule["resources"][0].partition("/")
    asked = {"namespace": namespace, "group": rule["apiGroups"][0], "resource": resource, "verb": rule["verbs"][0]}
    if part:
        asked["subresource"] = part
    if names := rule.get("resourceNames"):
        asked["name"] = names[0]
    account = f"system:serviceaccount:{namespace}:{name}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": asked},
    }
    answer = api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
