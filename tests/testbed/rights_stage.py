"""Workloads for every right of the table, made once: a release over another one, in each kind, with few pods.

One pod runs. The others have no pods, or pods that no node takes: going back needs a history, and not a container.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controller.ledger import Ledger
from rules.instances import WorkloadKind
from rules.plans import Plan, StepKind
from rules.rule import Pin
from testbed.chart_grants import Grain, Granted, needed_by
from testbed.cluster import Cluster as TestCluster
from testbed.cluster import Object
from testbed.driven import CountedCluster, Driven, params
from testbed.gitops_owners import Owner, application, helm_release, kustomization, marks_of
from testbed.wait import until
from testbed.workloads import Manifest, daemonset, deployment, statefulset
from workers.kubernetes.credentials import kubeconfig

KINDS = {
    "web": "Deployment",
    "api": "Deployment",
    "db": "StatefulSet",
    "agent": "DaemonSet",
    "stuck": "StatefulSet",
}
"""`web` has the one pod that runs; the pod of `stuck` waits for a node for ever."""
OWNED = {
    "by-argo": "Application",
    "by-kustomize": "Kustomization",
    "by-helm": "HelmRelease",
    "unmarked": "Application",
}
"""Deployments that somebody keeps. The marks on `unmarked` do not say in which namespace that is."""
_NOWHERE = {"rollback-test/nowhere": "true"}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scene:
    """One namespace with all of these workloads."""

    cluster: TestCluster
    namespace: str
    owners: dict[str, Owner]

    @classmethod
    def made(cls, cluster: TestCluster, namespace: str) -> Scene:
        """Make all of it, and wait for the one pod."""
        argo = application(cluster, namespace, "by-argo", ("by-argo",))
        kustomize = kustomization(cluster, namespace, "by-kustomize")
        entry = {"id": f"{namespace}_by-kustomize_apps_Deployment", "v": "v1"}
        kustomize.says({"inventory": {"entries": [entry]}, "lastAttemptedRevision": "main@sha1:aaaa"})
        owners = {"by-argo": argo, "by-kustomize": kustomize}
        owners["by-helm"] = helm_release(cluster, namespace, "by-helm")
        owners["unmarked"] = application(cluster, namespace, "unmarked", ("unmarked",))
        scene = cls(cluster, namespace, owners)
        for name in (*KINDS, *OWNED):
            cluster.apply(scene._manifest(name, "v1", pods=0), namespace)
        for name in (*KINDS, *OWNED):
            scene._caught_up(name)
            scene.is_bad(name)
        until(scene._pod_ran, within_s=60, what="the bad pod of web has run")
        return scene

    def is_bad(self, name: str) -> None:
        """Let a workload have the bad release, whatever was done to it before."""
        if not self.image(name).endswith(":bad"):
            self.cluster.apply(self._manifest(name, "bad", pods=1), self.namespace)
        if name == "stuck":
            until(self._stuck, within_s=30, what="the pod of stuck is of the bad release")

    def image(self, name: str) -> str:
        """Return what a workload asks for."""
        return _image(self._now(name)["spec"]["template"])

    def pod(self) -> str:
        """Return the name of the pod that runs."""
        (pod,) = self.cluster.pods(self.namespace, "app.kubernetes.io/instance=web")
        return str(pod["metadata"]["name"])

    def _now(self, name: str) -> Object:
        return self.cluster.get(KINDS.get(name, "Deployment"), self.namespace, name)

    def _manifest(self, name: str, tag: str, *, pods: int) -> Manifest:
        image, kind = self.cluster.image(tag), KINDS.get(name, "Deployment")
        if name in OWNED:
            return deployment(name, image, replicas=0, **self._marks(name))
        if kind == "Deployment":
            return deployment(name, image, replicas=pods if name == "web" else 0)
        made = daemonset(name, image) if kind == "DaemonSet" else statefulset(name, image, replicas=0)
        if name == "stuck":
            made["spec"]["replicas"] = pods
        made["spec"]["template"]["spec"]["nodeSelector"] = _NOWHERE
        return made

    def _marks(self, name: str) -> dict[str, Any]:
        if name == "unmarked":
            tracking = f"unmarked:apps/Deployment:{self.namespace}/unmarked"
            return {"annotations": {"argocd.argoproj.io/tracking-id": tracking}}
        return marks_of(self.owners[name], name)

    def _caught_up(self, name: str) -> None:
        def seen() -> bool:
            now = self._now(name)
            return bool(now.get("status", {}).get("observedGeneration", 0) >= now["metadata"]["generation"])

        until(seen, within_s=30, what=f"the controller has seen {name}")

    def _pod_ran(self) -> bool:
        (pod,) = self.cluster.pods(self.namespace, "app.kubernetes.io/instance=web")
        return any(status.get("containerID") for status in pod["status"].get("containerStatuses", ()))

    def _stuck(self) -> bool:
        """Whether its pod is of the bad release; one of another is in the way, as it is not ready either."""
        pods = self.cluster.pods(self.namespace, "app.kubernetes.io/instance=stuck")
        if pods and not _image(pods[0]).endswith(":bad"):
            self.cluster.delete("Pod", self.namespace, "stuck-0")
            return False
        return bool(pods)


@dataclass(slots=True)
class Stage:
    """The scene, seen by an account of the chart's; counts what is asked of the API server."""

    scene: Scene
    granted: Granted
    ledger: Ledger
    _open: list[CountedCluster] = field(default_factory=list)

    def driven(self, name: str, **over: Any) -> Driven:
        """Return one rollback of a workload, with a fence above all before it."""
        self.scene.is_bad(name)
        number = next(_numbers)
        one = Driven(
            self.scene.cluster,
            self.scene.namespace,
            WorkloadKind(KINDS.get(name, "Deployment").lower()),
            name,
            params(**{"pin": Pin.NEVER, "steady_s": 0, **over}),
            rollback=f"rtest{number:05}",
            fence=1000 + number,
            kubeconfig=self.granted.kubeconfig,
            suspensions=self.ledger.suspensions,
        )
        self._open.append(one.api)
        return one

    def asks(self) -> CountedCluster:
        """Return a connection for what is no rollback."""
        places = [self.scene.namespace]
        way = self.granted.kubeconfig
        self._open.append(CountedCluster("test", lambda: kubeconfig(way, None), timeout_s=5, namespaces=places))
        return self._open[-1]

    def used(self) -> frozenset[Grain]:
        """Return what has been asked for so far, as rights."""
        return frozenset(grain for call in self._calls() if (grain := needed_by(*call.split(" ", 1))))

    def close(self) -> None:
        """Let go of all connections."""
        for one in self._open:
            one.close()

    def _calls(self) -> Iterator[str]:
        return itertools.chain.from_iterable(one.__dict__.get("calls", ()) for one in self._open)


def step_of(plan: Plan, kind: StepKind) -> int:
    """Return the place of the plan's step of a kind."""
    return [step.kind for step in plan.steps].index(kind)


def _image(holder: Object) -> str:
    return str(holder["spec"]["containers"][0]["image"])
