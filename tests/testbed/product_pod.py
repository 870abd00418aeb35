"""A pod of the product's own image, under the strictest rules that a cluster knows: server, workers, a Valkey."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from testbed.cluster import Cluster, Object
from testbed.local_shops import local_inventory, rules
from testbed.product_image import ProductImage
from testbed.programs import ProgramEndedError
from testbed.wait import until

USER = 65532
PORT = 8095
REPOSITORY = "rollback/controller"
CONFIG, SECRETS = "/etc/rollback-controller", "/run/rollback-controller"
PASSWORD = f"{SECRETS}/password"
CONTAINERS = ("version", "ledger", "serve", "worker")
RESTRICTED_POD = {
    "runAsNonRoot": True,
    "fsGroup": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
GRACE_S = 95
"""`termination-grace-s`, and a little."""


@dataclass(frozen=True, slots=True)
class ProductPod:
    """One pod; its containers are `ledger`, `serve` and `worker`, and `version` before them."""

    cluster: Cluster
    namespace: str
    name: str
    token: str

    def now(self) -> Object:
        """Return it as the API has it."""
        return self.cluster.get("Pod", self.namespace, self.name)

    def address(self) -> str:
        """Return where it listens, once the kubelet has found it ready by the product's own health endpoints."""

        def ready() -> str | None:
            status = self.now()["status"]
            self._still_runs(status)
            seen = {one["type"]: one["status"] for one in status.get("conditions", [])}
            assert seen.get("Ready") == "True", json.dumps(status)[-2000:]
            return f"http://{status['podIP']}:{PORT}"

        return until(ready, within_s=120, what="the pod is ready", every_s=0.2) or ""

    def state(self, container: str) -> dict[str, Any]:
        """Return a container's state."""
        status = self.now()["status"]
        both = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
        found: dict[str, Any] = next((one["state"] for one in both if one["name"] == container), {})
        return found

    def log(self, container: str) -> str:
        """Return what a container wrote."""
        return self.cluster.kubectl("logs", f"--namespace={self.namespace}", self.name, f"--container={container}")

    def inside(self, container: str, code: str) -> str:
        """Run some Python in a container: there is no shell to do it with."""
        where = [f"--namespace={self.namespace}", self.name, f"--container={container}"]
        return self.cluster.kubectl("exec", *where, "--", "python", "-c", code)

    def stop(self, *containers: str) -> dict[str, int]:
        """Ask the first process of each to end, as the kubelet does; return their exit codes.

        A deleted pod tells them too late or not at all.
        """
        for container in containers:
            self.inside(container, "import os, signal; os.kill(1, signal.SIGTERM)")

        def over() -> dict[str, int]:
            states = {name: self.state(name) for name in containers}
            assert all("terminated" in state for state in states.values()), json.dumps(states)
            return {name: state["terminated"]["exitCode"] for name, state in states.items()}

        return until(over, within_s=GRACE_S, what="the containers have ended", every_s=0.1) or {}

    def _still_runs(self, status: Object) -> None:
        """Nothing is started anew here: what has ended would be waited for in vain."""
        ended = [one["name"] for one in status.get("containerStatuses", []) if "terminated" in one["state"]]
        if ended:
            raise ProgramEndedError("\n".join(f"{name} ended:\n{self.log(name)[-2000:]}" for name in ended))


def start_pod(cluster: Cluster, namespace: str, image: ProductImage) -> ProductPod:
    """Push the image, and start one pod of it."""
    name = f"{REPOSITORY}:testbed"
    if "testbed" not in _tags(cluster):
        cluster.registry.push(image.archive, name)
    pod = ProductPod(cluster, namespace, "rollback-controller", secrets.token_urlsafe(24))
    settings = {
        "listen": f"0.0.0.0:{PORT}",
        "redis": {"url": "redis://127.0.0.1:6379/0", "password_file": PASSWORD},
        "auth": {"tokens": [{"name": "all", "roles": ["alerts", "read"], "file": f"{SECRETS}/token"}]},
        "numbers": {"unready_s": 1},
    }
    files = {"rollback.yaml": json.dumps(settings), "rules.yaml": rules(), "inventory.yaml": local_inventory()}
    made = {"token": pod.token, "password": secrets.token_hex(24)}
    for kind, data in (("ConfigMap", files), ("Secret", made)):
        key = "data" if kind == "ConfigMap" else "stringData"
        cluster.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": pod.name}, key: data}, namespace)
    cluster.create(_manifest(pod.name, f"{cluster.registry.address}/{name}"), namespace)
    return pod


def _tags(cluster: Cluster) -> list[str]:
    try:
        return cluster.registry.tags(REPOSITORY)
    except OSError:  # it has never heard of it
        return []


def _manifest(name: str, image: str) -> Object:
    probe = {"periodSeconds": 1, "failureThreshold": 60}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_S,
            "securityContext": RESTRICTED_POD,
            "initContainers": [_container("version", image, args=["--version"])],
            "containers": [
                _container("ledger", image, args=["valkey", "--data-dir=/tmp", f"--password-file={PASSWORD}"]),
                _container(
                    "serve",
                    image,
                    args=["serve"],
                    livenessProbe={"httpGet": {"path": "/livez", "port": PORT}, **probe},
                    readinessProbe={"httpGet": {"path": "/readyz", "port": PORT}, **probe},
                ),
                _container("worker", image, args=["worker"]),
            ],
            "volumes": [
                {"name": "config", "configMap": {"name": name}},
                {"name": "secrets", "secret": {"secretName": name, "defaultMode": 0o440}},
                *({"name": f"tmp-{container}", "emptyDir": {}} for container in CONTAINERS),
            ],
        },
    }


def _container(name: str, image: str, **more: Any) -> Object:
    mounts = [
        {"name": "config", "mountPath": CONFIG, "readOnly": True},
        {"name": "secrets", "mountPath": SECRETS, "readOnly": True},
        {"name": f"tmp-{name}", "mountPath": "/tmp"},
    ]
    return {"name": name, "image": image, "securityContext": RESTRICTED, "volumeMounts": mounts, **more}
