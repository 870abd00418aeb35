"""The chart, installed by Helm's own engine into the testbed's cluster, with the image of this checkout."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import helm_python

from testbed.alertmanager import alert, body
from testbed.chart_files import CHART
from testbed.cluster import Cluster
from testbed.kube_shop import CLUSTER, kube_rules
from testbed.product_image import product_image
from testbed.product_pod import REPOSITORY, USER

NAME = "rb"
SERVICE = "rb-rollback-controller"
HISTORY = f"sh.helm.release.v1.{NAME}."
CLAIM = f"data-{SERVICE}-valkey-0"
SECRET = "rollback-controller"
KEYS = ("alertmanager", "operator", "reader", "redis-password", "audit.key")
KINDS = (
    *("Deployment", "StatefulSet", "ReplicaSet", "Pod", "Service", "ConfigMap", "Secret", "ServiceAccount"),
    *("Role", "RoleBinding", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Job", "PersistentVolumeClaim"),
)
WITHIN_S = 180


@dataclass(slots=True)
class Helm:
    """One release in a namespace of its own, which looks after the workloads of another."""

    cluster: Cluster
    namespace: str
    targets: Sequence[str]
    tokens: dict[str, str] = field(default_factory=lambda: {key: secrets.token_hex(32) for key in KEYS})

    def prepare(self) -> None:
        """Do what the how-to asks for first: an image in a registry, and a Secret."""
        self.cluster.registry.push(product_image().archive, f"{REPOSITORY}:testbed")
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": self.tokens}
        self.cluster.create(made, self.namespace)
        self._give_a_volume()

    def forget(self) -> None:
        """Take away what is outside the namespaces."""
        self.cluster.delete("PersistentVolume", None, self.namespace)

    def _give_a_volume(self) -> None:
        """Put a folder of this machine there for the Valkey's claim: a volume that outlives its pods."""
        folder = self.cluster.folder / f"volume-{self.namespace}"
        folder.mkdir()
        os.chown(folder, USER, USER)
        spec = {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": {"namespace": self.namespace, "name": CLAIM},
            "hostPath": {"path": str(folder)},
        }
        meta = {"name": self.namespace}
        self.cluster.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec})

    def values(self, **over: Any) -> dict[str, Any]:
        """Return values as somebody would write them who has no Redis."""
        quick = {"periodSeconds": 1, "failureThreshold": 120, "timeoutSeconds": 5}
        probes = {f"{kind}Probe": quick for kind in ("startup", "liveness")}
        probes["readinessProbe"] = {**quick, "failureThreshold": 2}
        tokens = [
            {"name": "alertmanager", "roles": ["alerts"], "key": "alertmanager"},
            {"name": "operator", "roles": ["operate", "approve"], "key": "operator"},
            {"name": "reader", "roles": ["read"], "key": "reader"},
        ]
        nothing = {"requests": {"cpu": "1m"}}
        return {
            "image": {"repository": f"{self.cluster.registry.address}/{REPOSITORY}", "tag": "testbed"},
            "credentials": {"existingSecret": SECRET, "tokens": tokens},
            "valkey": {"enabled": True, "resources": nothing},
            "targets": {"namespaces": list(self.targets), "clusterName": CLUSTER},
            "audit": {"existingSecret": SECRET},
            "rules": {"files": {"canary.yaml": kube_rules()}},
            "numbers": {"group-interval-s": 1},
            "receiver": {"resources": nothing, **probes},
            "worker": {"resources": nothing, "processes": 1, **probes},
            **over,
        }

    def install(self, values: dict[str, Any]) -> None:
        """Run `helm install --wait`."""
        with self._engine() as engine:
            engine.install(CHART, NAME, values, namespace=self.namespace, wait="watcher", timeout=WITHIN_S)

    def upgrade(self, values: dict[str, Any]) -> None:
        """Run `helm upgrade --wait`."""
        with self._engine() as engine:
            engine.upgrade(CHART, NAME, values, namespace=self.namespace, wait="watcher", timeout=WITHIN_S)

    def roll_back(self) -> None:
        """Run `helm rollback --wait`, to the revision before."""
        with self._engine() as engine:
            engine.rollback(NAME, wait="watcher", timeout=WITHIN_S)

    def test(self) -> None:
        """Run `helm test`."""
        with self._engine() as engine:
            engine.test(NAME, timeout=WITHIN_S)

    def uninstall(self) -> None:
        """Run `helm uninstall --wait`."""
        with self._engine() as engine:
            engine.uninstall(NAME, wait="watcher", timeout=WITHIN_S)

    def command(self, *words: str) -> str:
        """Run `rollbackctl` in the receiver, as the notes say; its output, and an error where it fails."""
        where = [f"--namespace={self.namespace}", f"deploy/{SERVICE}-receiver"]
        return self.cluster.kubectl("exec", *where, "--", "rollbackctl", *words)

    def revisions(self) -> list[tuple[int, str]]:
        """Return what `helm history` lists: number and state."""
        with self._engine() as engine:
            return [(one["revision"], one["status"]) for one in engine.history(NAME)]

    @contextlib.contextmanager
    def _engine(self) -> Iterator[helm_python.Config]:
        with helm_python.Config(kubeconfig_path=self.cluster.kubeconfig, namespace=self.namespace) as engine:
            yield engine

    @property
    def url(self) -> str:
        """The address of the Service."""
        spec = self.cluster.get("Service", self.namespace, SERVICE)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def ask(self, path: str, *, key: str = "reader", body: object = None) -> tuple[int, Any]:
        """Send one request to the Service; return its status and what it says, 0 where nobody answered."""
        request = urllib.request.Request(f"{self.url}{path}", None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self.tokens[key]}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()
        except (OSError, ValueError) as error:
            return 0, str(error)

    def left(self) -> dict[str, list[str]]:
        """Return the names of what is the release's, in both namespaces, by kind."""
        found: dict[str, list[str]] = {}
        for kind in KINDS:
            for namespace in (self.namespace, *self.targets):
                names = [str(one["metadata"]["name"]) for one in self.cluster.all(kind, namespace)]
                found.setdefault(kind, []).extend(name for name in names if SERVICE in name or HISTORY in name)
        return {kind: names for kind, names in found.items() if names}


class Steady:
    """Alerts, one after another, sent as Alertmanager does: whatever was not taken is sent again."""

    def __init__(self, helm: Helm, every_s: float = 0.1) -> None:
        self._helm, self._every_s = helm, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.taken: list[str] = []
        self.refused: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(self._every_s):
            number += 1
            one = alert({"alertname": "HighErrorRate", "namespace": "elsewhere", "pod": f"web-{number}"})
            while True:
                status, _ = self._helm.ask("/api/v1/alertmanager", key="alertmanager", body=body(one))
                if 200 <= status < 300:
                    self.taken.append(one["fingerprint"])
                    break
                self.refused.append(status)
                if self._ended.wait(0.2):
                    return
