"""The chart's pods, judged by Kubernetes' own code under the strictest policy for pods that this version knows.

It has no Pod Security admission, but what came before: a PodSecurityPolicy, here with what "restricted" asks for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testbed import access
from testbed.chart_shapes import MINIMAL, SHAPES, pods_of
from testbed.cluster import Cluster
from testbed.helm_engine import Manifest, manifests
from testbed.kube_api import KubeApi, KubeRefusedError, path_of
from testbed.wait import until

ANY = {"rule": "RunAsAny"}
VOLUMES = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
]
RESTRICTED: Manifest = {
    "apiVersion": "policy/v1beta1",
    "kind": "PodSecurityPolicy",
    "metadata": {
        "name": "rollback-test-restricted",
        "annotations": {"seccomp.security.alpha.kubernetes.io/allowedProfileNames": "runtime/default"},
    },
    "spec": {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "requiredDropCapabilities": ["ALL"],
        "volumes": VOLUMES,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "runAsUser": {"rule": "MustRunAsNonRoot"},
        "readOnlyRootFilesystem": True,
        **dict.fromkeys(("seLinux", "supplementalGroups", "fsGroup"), ANY),
    },
}
MAY: list[access.Rule] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
    {
        "apiGroups": ["policy"],
        "resources": ["podsecuritypolicies"],
        "resourceNames": [RESTRICTED["metadata"]["name"]],
        "verbs": ["use"],
    },
]
Try = Callable[[dict[str, Any]], Manifest]


@pytest.fixture(scope="module")
def strict_server(cluster: Cluster) -> Iterator[str]:
    """Start a second API server that lets no pod in without a policy."""
    path = f"/apis/{RESTRICTED['apiVersion']}/podsecuritypolicies"
    with cluster.control.stricter_api("PodSecurityPolicy") as server:
        cluster.api.call("POST", path, RESTRICTED)
        yield server
        cluster.api.call("DELETE", f"{path}/{RESTRICTED['metadata']['name']}")


@pytest.fixture
def lets_in(cluster: Cluster, namespace: str, strict_server: str) -> Try:
    """Return what tries to make a pod, as somebody who may use that policy alone: the pod as it would be."""
    cluster.user_kubeconfig("deployer", namespace, MAY)
    token = cluster.user_token("deployer", namespace)
    api = KubeApi.trusting(strict_server, cluster.api.authority, token)

    def lets_in(spec: dict[str, Any]) -> Manifest:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": spec}
        return dict(api.call("POST", path_of("Pod", namespace), pod, query={"dryRun": "All"}))

    until(lambda: lets_in(a_pod("receiver")), within_s=20, what="the policy is in force there")
    return lets_in


def a_pod(role: str, shape: dict[str, Any] = MINIMAL) -> dict[str, Any]:
    """Return the specification of a pod; its own account is not there, and its volume's claim neither."""
    spec = copy.deepcopy(pods_of(manifests(shape))[role])
    spec["serviceAccountName"] = "default"
    spec.pop("priorityClassName", None)  # whose classes these are is no matter of security
    claimed = {"data"} - {volume["name"] for volume in spec["volumes"]}
    spec["volumes"] += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claimed]
    return spec


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_pod_is_let_in_as_it_is(lets_in: Try, shape: str) -> None:
    """The policy would put right what a pod leaves open, and has nothing to put right."""
    for role in pods_of(manifests(SHAPES[shape])):
        spec = a_pod(role, SHAPES[shape])
        made = lets_in(spec)
        assert made["metadata"]["annotations"]["kubernetes.io/psp"] == RESTRICTED["metadata"]["name"]
        assert made["spec"]["securityContext"] == spec["securityContext"], role
        asked = [container["securityContext"] for container in spec["containers"]]
        assert [container["securityContext"] for container in made["spec"]["containers"]] == asked, role


WEAKER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "running with the root UID is forbidden": lambda spec: spec["securityContext"].update(runAsUser=0),
    "is not an allowed seccomp profile": lambda spec: spec["securityContext"].pop("seccompProfile"),
    "Host network is not allowed": lambda spec: spec.update(hostNetwork=True),
    "hostPath volumes are not allowed": lambda spec: spec["volumes"].append(
        {"name": "h", "hostPath": {"path": "/"}}
    ),
    "Privileged containers are not": lambda spec: _own(spec).update(
        privileged=True, allowPrivilegeEscalation=True
    ),
    "Allowing privilege escalation": lambda spec: _own(spec).update(allowPrivilegeEscalation=True),
    "capability may not be added": lambda spec: _own(spec).update(capabilities={"add": ["NET_ADMIN"]}),
    "ReadOnlyRootFilesystem must be": lambda spec: _own(spec).update(readOnlyRootFilesystem=False),
}
"""What the server says, and how a pod comes to it."""


def _own(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["containers"][0]["securityContext"]
    return found


@pytest.mark.parametrize("says", WEAKER)
def test_a_weaker_pod_would_be_refused(lets_in: Try, says: str) -> None:
    """So that being let in says something."""
    spec = a_pod("worker")
    WEAKER[says](spec)
    with pytest.raises(KubeRefusedError, match=says):
        lets_in(spec)
