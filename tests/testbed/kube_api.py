"""The testbed's own way to a cluster's API: plain HTTP and JSON, so that no test trusts the client it tests."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

GROUPS = {
    "apps/v1": ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision"),
    "v1": (
        *("Pod", "Service", "Endpoints", "Event", "Namespace", "Node", "Secret", "ConfigMap"),
        *("ServiceAccount", "ReplicationController", "ResourceQuota", "PersistentVolume", "PersistentVolumeClaim"),
    ),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "apiextensions.k8s.io/v1": ("CustomResourceDefinition",),
    "autoscaling/v1": ("HorizontalPodAutoscaler",),
    "batch/v1": ("Job",),
    "policy/v1beta1": ("PodDisruptionBudget",),
}
VERSIONS = {kind: version for version, kinds in GROUPS.items() for kind in kinds}
CLUSTER_WIDE = {
    "Namespace",
    "Node",
    "PersistentVolume",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
}


class KubeRefusedError(AssertionError):
    """The API server said no; as an `AssertionError` it counts as "not yet" for `wait.until`."""

    def __init__(self, status: int, message: str, reason: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.message, self.reason = status, message, reason


@dataclass(frozen=True, slots=True)
class KubeApi:
    """One user's view of one API server."""

    server: str
    authority: str = field(repr=False)
    trust: ssl.SSLContext = field(repr=False)
    token: str | None = field(repr=False, default=None)

    @classmethod
    def trusting(cls, server: str, ca: str, token: str | None = None) -> KubeApi:
        """Trust one certificate authority and no other."""
        return cls(server, ca, ssl.create_default_context(cadata=ca), token)

    @classmethod
    def from_kubeconfig(cls, file: Path) -> KubeApi:
        """Read server, authority and credentials (a token or a client certificate) of the current context."""
        config = YAML(typ="safe").load(file.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        api = cls.trusting(cluster["server"], _content(cluster, "certificate-authority", file), user.get("token"))
        if certificate := _content(user, "client-certificate", file):
            _present(api.trust, certificate, _content(user, "client-key", file))
        elif api.token is None:
            raise AssertionError(f"{file}: the testbed takes a token or a client certificate, and finds neither")
        return api

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        sends: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and return the answer's JSON; raise `KubeRefusedError` when it is no 2xx."""
        return json.loads(self.text(path, method=method, body=body, sends=sends, query=query))

    def text(
        self,
        path: str,
        *,
        method: str = "GET",
        body: object = None,
        sends: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """Send a request and return the answer as it is, such as a log."""
        url = f"{self.server}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Content-Type": sends, "Accept": "*/*"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        through = urllib.request.HTTPSHandler(context=self.trust)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), through)
        try:
            with opener.open(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read().decode(errors="replace")) from None


def path_of(kind: str, namespace: str | None = None, name: str | None = None, version: str | None = None) -> str:
    """Return the path of an object, or of all objects of a kind; `version` is needed for kinds not listed here."""
    version = version or VERSIONS[kind]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{namespace}" if namespace and kind not in CLUSTER_WIDE else ""
    lower = kind.lower()
    plural = lower if lower.endswith("s") else f"{lower[:-1]}ies" if lower.endswith("cy") else f"{lower}s"
    return f"{root}{place}/{plural}" + (f"/{name}" if name else "")


def write_kubeconfig(file: Path, server: str, ca: str, token: str, namespace: str = "default") -> Path:
    """Write a kubeconfig with a bearer token; JSON is YAML."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [
            {"name": "testbed", "context": {"cluster": "testbed", "user": "user", "namespace": namespace}}
        ],
        "current-context": "testbed",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config, indent=1))
    return file


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _content(entry: Mapping[str, Any], key: str, beside: Path) -> str:
    """Return what a kubeconfig holds inline or points to, "" when neither."""
    if inline := entry.get(f"{key}-data"):
        return base64.b64decode(inline).decode()
    return (beside.parent / entry[key]).read_text() if entry.get(key) else ""


def _present(trust: ssl.SSLContext, certificate: str, key: str) -> None:
    """Give the context a client certificate; Python takes it from a file only."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
        both.write(f"{certificate}\n{key}\n")
        both.flush()
        trust.load_cert_chain(both.name)


def _refusal(status: int, body: str) -> KubeRefusedError:
    try:
        said = json.loads(body)
        return KubeRefusedError(status, said.get("message", body), said.get("reason", ""))
    except (ValueError, AttributeError):
        return KubeRefusedError(status, body, "")
