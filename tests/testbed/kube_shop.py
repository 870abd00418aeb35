"""The shop in a cluster: a stable and a canary Deployment of one service, alerts about them, and a rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.alertmanager import alert, stamp
from testbed.cluster import Cluster, Object
from testbed.installation import Installation
from testbed.unguarded import AT_ONCE, UNGUARDED
from testbed.wait import until
from testbed.workloads import INSTANCE, NAME, deployment

CLUSTER = "test"
"""What the product's settings call the cluster."""
SERVICE = "shop"


@dataclass(frozen=True, slots=True)
class KubeShop:
    """One namespace of a cluster with workloads of the shop."""

    cluster: Cluster
    namespace: str

    def deploy(self, name: str, tag: str, track: str, *, service: str = SERVICE, **more: Any) -> Object:
        """Bring up a Deployment and wait until it serves."""
        return self.cluster.roll(self.manifest(name, tag, track, service=service, **more), self.namespace)

    def manifest(self, name: str, tag: str, track: str, *, service: str = SERVICE, **more: Any) -> Object:
        """Return a Deployment that belongs to a service and a track."""
        labels = {NAME: service, "track": track}
        return deployment(name, self.cluster.image(tag), labels=labels, pod_labels=labels, **more)

    def release(self, kind: str, name: str, tag: str) -> None:
        """Deploy another image, as a pipeline does; waits for nothing."""
        self.cluster.set_image(kind, self.namespace, name, self.cluster.image(tag))

    def scale(self, name: str, replicas: int) -> None:
        """Ask for another number of pods."""
        self.cluster.patch("Deployment", self.namespace, name, {"spec": {"replicas": replicas}})

    def image(self, kind: str, name: str) -> str:
        """Return the image that a workload asks for."""
        found = self.cluster.get(kind, self.namespace, name)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def tag(self, kind: str, name: str) -> str:
        """Return the tag of the image that a workload asks for."""
        return self.image(kind, name).rpartition(":")[2]

    def revision(self, name: str) -> str:
        """Return a Deployment's revision, once its controller has seen the last change of its template."""

        def seen() -> Object | None:
            found = self.cluster.get("Deployment", self.namespace, name)
            up_to_date = found.get("status", {}).get("observedGeneration", 0) >= found["metadata"]["generation"]
            return found if up_to_date else None

        found = until(seen, within_s=60, what=f"the controller has seen {name}")
        return str(found["metadata"]["annotations"]["deployment.kubernetes.io/revision"])

    def pods(self, name: str) -> list[Object]:
        """Return the pods of one workload."""
        return self.cluster.pods(self.namespace, f"{INSTANCE}={name}")

    def pod_names(self, name: str) -> list[str]:
        """Return the names of the pods of one workload."""
        return [str(pod["metadata"]["name"]) for pod in self.pods(name)]

    def uids(self, name: str) -> set[str]:
        """Return the uids of the pods of one workload: a pod that was replaced has another."""
        return {str(pod["metadata"]["uid"]) for pod in self.pods(name)}

    def new_pods(self, name: str, tag: str) -> list[str]:
        """Return the pods of one workload that were made for a tag."""
        image = self.cluster.image(tag)
        return [
            str(pod["metadata"]["name"])
            for pod in self.pods(name)
            if pod["spec"]["containers"][0]["image"] == image
        ]

    def alert(self, **labels: str) -> dict[str, Any]:
        """Return a firing alert about something in the namespace."""
        return alert({"alertname": "HighErrorRate", "namespace": self.namespace, "severity": "critical", **labels})

    def about_pod(self, pod: str, **labels: str) -> dict[str, Any]:
        """Return a firing alert about a pod, as a plain scrape labels it."""
        return self.alert(pod=pod, **labels)

    def instance(self, kind: str, name: str) -> str:
        """Return the identity by which the product knows a workload."""
        return f"kubernetes/{CLUSTER}/{self.namespace}/{kind}/{name}"


def kube_rules(**over: Any) -> str:
    """Return a rule file with one rule that acts on canaries at once; a value of None takes a field away.

    No guard keeps it back; `guards` says which ones shall.
    """
    rule = {
        "name": "canary-errors",
        "mode": "act",
        "when": {"matchers": ['alertname="HighErrorRate"']},
        "target": {"kubernetes": {"namespace": "{{ $labels.namespace }}"}, "only": {"track": "canary"}},
        "to": ["previous"],
        "verify": {"healthy-within": "60s", "steady": "1s", "cleared-within": "2m"},
        "retry": {"initial": "1s", "max": "5s"},
        "waves": AT_ONCE,
        **over,
        "guards": {**UNGUARDED, **over.get("guards", {})},
    }
    return json.dumps({"version": "rules/v1", "rules": [{k: v for k, v in rule.items() if v is not None}]})


def kube_installation(
    folder: Path,
    redis_url: str,
    kubeconfig: Path,
    *,
    rules: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Installation:
    """Return an installation that looks after the cluster; nothing is started yet."""
    clusters = {CLUSTER: {"kubeconfig": str(kubeconfig)}}
    inventory = json.dumps({"version": "inventory/v1", "connection": "local", "services": {}})
    return Installation(
        folder,
        redis_url,
        rules or kube_rules(),
        inventory,
        more={"numbers": {"group_interval_s": 1}, "clusters": clusters, **(more or {})},
    )


def gone_back(installed: Installation, shop: KubeShop, name: str = "web-canary") -> dict[str, Any]:
    """Wait until a rollback has changed its Deployment and that is rolled out; return the record."""
    rollback = until(
        lambda: next((r for r in installed.rollbacks() if r["state"] in {"verifying", "ended", "held"}), None),
        within_s=60,
        what="the rollback has changed its target",
    )
    assert rollback["state"] != "held", rollback
    shop.cluster.wait_rolled_out("Deployment", shop.namespace, name)
    return rollback


def resolved(firing: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resolve of a firing alert."""
    return {**firing, "status": "resolved", "endsAt": stamp(0)}
