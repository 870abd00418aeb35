"""An alert's labels are followed through a real cluster to the workload they are about, with few questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from testbed.cluster import Cluster as RealCluster
from testbed.wait import until
from testbed.workloads import INSTANCE, container, daemonset, deployment, statefulset

from controller.settings import ClusterSettings, Numbers
from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import Transient
from rules.rule import KubernetesTarget, Pods, Rule, Target, When
from rules.to import Previous
from workers.kubernetes.access import Cluster, connect_cluster
from workers.kubernetes.finding import KubernetesFinder

CLUSTER = "test"
CANARY = {"track": "canary"}


class Counted:
    """The real cluster, and what it was asked."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.namespaces = cluster.namespaces
        self.name = cluster.name
        self.asked: list[str] = []

    def get(self, path: str, **query: Any) -> Any:
        self.asked.append(f"get {path.rpartition('/namespaces/')[2].partition('/')[2]}")
        return self._cluster.get(path, **query)

    def list(self, path: str, **query: Any) -> Any:
        self.asked.append(f"list {path.rpartition('/')[2]}")
        return self._cluster.list(path, **query)

    def close(self) -> None:
        self._cluster.close()


@contextmanager
def finding(kubeconfig: Path, **settings: Any) -> Iterator[tuple[KubernetesFinder, list[str]]]:
    reached = Counted(connect_cluster(CLUSTER, ClusterSettings(kubeconfig=kubeconfig, **settings), Numbers()))
    finder = KubernetesFinder(lambda _: reached, [CLUSTER])  # type: ignore[arg-type, return-value]
    try:
        yield finder, reached.asked
    finally:
        finder.close()


def rule(only: dict[str, str] | None = None, **within: Any) -> Rule:
    chosen = {label: (value,) for label, value in (only or {}).items()}
    return Rule("r", When(), Target(kubernetes=KubernetesTarget(**within), only=chosen), (Previous(),))


def names(found: Any) -> list[str] | Reason:
    located, decision = found
    if decision is not None:
        assert located == ()
        return decision.reason
    assert all(one.service for one in located)
    return [f"{one.instance.kind}/{one.instance.name}" for one in located]


@pytest.fixture
def about(namespace: str) -> Callable[..., Alert]:
    return lambda **labels: Alert("f", "firing", {"namespace": namespace, **labels}, {}, 0)


def pods_of(cluster: RealCluster, namespace: str, workload: str) -> list[dict[str, Any]]:
    return cluster.pods(namespace, f"{INSTANCE}={workload}")


def name_of(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def test_a_pod_leads_to_its_deployment_in_three_questions(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """Pod, ReplicaSet, Deployment; a name alone takes one. The canary is what its pods' labels say."""
    cluster.roll(deployment("canary", cluster.image("v1"), replicas=1, pod_labels=CANARY), namespace)
    cluster.roll(deployment("stable", cluster.image("v1"), replicas=1, pod_labels={"track": "stable"}), namespace)
    (canary,), (stable,) = (pods_of(cluster, namespace, name) for name in ("canary", "stable"))
    with finding(cluster.kubeconfig) as (finder, asked):
        assert names(finder.find(rule(CANARY), about(pod=name_of(canary)), ())) == ["deployment/canary"]
        assert [question.split("/")[0] for question in asked] == ["get pods", "get replicasets", "get deployments"]
        assert names(finder.find(rule(CANARY), about(deployment="canary"), ())) == ["deployment/canary"]
        assert len(asked) == 3
        assert names(finder.find(rule(CANARY), about(pod=name_of(stable), track="canary"), ())) == "not-selected"
        both = rule(selector={INSTANCE: "canary"})
        assert names(finder.find(both, about(), ())) == ["deployment/canary"]


def test_many_alerts_about_many_pods_ask_for_all_pods_at_once(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """One list, one ReplicaSet, one Deployment, however many pods."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=6), namespace)
    alerts = [about(pod=name_of(pod)) for pod in pods_of(cluster, namespace, "web")]
    with finding(cluster.kubeconfig) as (finder, asked):
        for at, one in enumerate(alerts):
            others = (*alerts[:at], *alerts[at + 1 :])
            assert names(finder.find(rule(), one, others)) == ["deployment/web"]
        assert [question.split("/")[0] for question in asked] == [
            "list pods",
            "get replicasets",
            "get deployments",
        ]


def test_an_old_pod_and_a_gone_one(cluster: RealCluster, namespace: str, about: Callable[..., Alert]) -> None:
    """A pod of the revision before does not count; one that is gone is found through its ReplicaSet."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    (old,) = pods_of(cluster, namespace, "web")
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))
    new = until(
        lambda: [pod for pod in pods_of(cluster, namespace, "web") if name_of(pod) != name_of(old)],
        within_s=20,
        what="the bad revision has a pod",
    )[0]
    with finding(cluster.kubeconfig) as (finder, _):
        assert names(finder.find(rule(), about(pod=name_of(new)), ())) == ["deployment/web"]
        assert names(finder.find(rule(), about(pod=name_of(old)), ())) == Reason.STALE
        assert names(finder.find(rule(pods=Pods.ANY), about(pod=name_of(old)), ())) == ["deployment/web"]
    cluster.delete("Pod", namespace, name_of(new))
    gone = name_of(new)
    until(
        lambda: gone not in [name_of(pod) for pod in cluster.all("Pod", namespace)],
        within_s=20,
        what="the pod is gone",
    )
    with finding(cluster.kubeconfig) as (finder, _):
        assert names(finder.find(rule(), about(pod=gone), ())) == ["deployment/web"]
        assert names(finder.find(rule(), about(pod=f"{gone[:-6]}x-bcdfg"), ())) == Reason.POD_GONE


def test_an_alert_about_a_stable_pod_leaves_the_partition_alone(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """A StatefulSet's pods below the partition run the revision before."""
    cluster.roll(statefulset("db", cluster.image("v1"), replicas=2, partition=1), namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("v2"))
    until(
        lambda: cluster.get("Pod", namespace, "db-1")["spec"]["containers"][0]["image"] == cluster.image("v2"),
        within_s=30,
        what="the pod above the partition runs the new revision",
    )
    with finding(cluster.kubeconfig) as (finder, _):
        assert names(finder.find(rule(), about(pod="db-1"), ())) == ["statefulset/db"]
        assert names(finder.find(rule(), about(pod="db-0"), ())) == Reason.STALE
        assert names(finder.find(rule(), about(pod="db-7"), ())) == Reason.POD_GONE
        assert names(finder.find(rule(pods=Pods.ANY), about(pod="db-7"), ())) == ["statefulset/db"]


def test_a_daemon_sets_pods(cluster: RealCluster, namespace: str, about: Callable[..., Alert]) -> None:
    """Updated is what carries the hash of its newest ControllerRevision."""
    cluster.roll(daemonset("logs", cluster.image("v1"), on_delete=True), namespace)
    (pod, *_) = pods_of(cluster, namespace, "logs")
    with finding(cluster.kubeconfig) as (finder, _):
        assert names(finder.find(rule(), about(pod=name_of(pod)), ())) == ["daemonset/logs"]
    cluster.set_image("DaemonSet", namespace, "logs", cluster.image("v2"))
    until(
        lambda: len([r for r in cluster.all("ControllerRevision", namespace) if r["revision"] == 2]) == 1,
        within_s=20,
        what="the DaemonSet has a second revision",
    )
    with finding(cluster.kubeconfig) as (finder, _):
        assert names(finder.find(rule(), about(pod=name_of(pod)), ())) == Reason.STALE


def test_pods_that_nothing_can_roll_back(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """A bare pod, a Job's, and that of a ReplicaSet without a Deployment: each is named for what it is."""
    spec = {"containers": [container("app", cluster.image("v1"), probe=False)], "restartPolicy": "Never"}
    metadata = {"labels": {"run": "x"}}
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": spec}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "mail"},
        "spec": {"template": {"spec": spec}},
    }
    lone = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "lone"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"run": "x"}},
            "template": {"metadata": metadata, "spec": {**spec, "restartPolicy": "Always"}},
        },
    }
    for manifest in (bare, job, lone):
        cluster.create(manifest, namespace)
    wanted = {
        "bare": "belongs to no workload",
        "mail": "Job mail",
        "lone": "ReplicaSet lone belongs to no workload",
    }
    made = until(
        lambda: len(cluster.pods(namespace)) == 3 and cluster.pods(namespace), within_s=20, what="three pods"
    )
    with finding(cluster.kubeconfig) as (finder, _):
        for pod in made:
            _, decision = finder.find(rule(), about(pod=name_of(pod)), ())
            assert isinstance(decision, Decision)
            assert (decision.outcome, decision.reason) == (Outcome.REFUSE, Reason.WORKLOAD_UNKNOWN)
            assert wanted[name_of(pod).split("-")[0]] in decision.detail


UNKNOWN = {
    "a workload": ({"deployment": "web"}, Reason.WORKLOAD_UNKNOWN),
    "a kind": ({"statefulset": "web", "pod": "web-0"}, Reason.WORKLOAD_UNKNOWN),
    "a pod": ({"pod": "web-5d4f-bb2bb"}, Reason.POD_GONE),
    "a ReplicaSet": ({"replicaset": "web-5d4f"}, Reason.POD_GONE),
    "a namespace": ({"namespace": "there-is-none", "deployment": "web"}, Reason.WORKLOAD_UNKNOWN),
    "no legal name": ({"deployment": "../../secrets"}, Reason.LABEL_ILLEGAL),
}


@pytest.mark.parametrize(("labels", "reason"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_does_not_exist_is_refused(
    labels: dict[str, str], reason: Reason, cluster: RealCluster, about: Callable[..., Alert]
) -> None:
    """In words that say what was looked for."""
    with finding(cluster.kubeconfig) as (finder, _):
        located, decision = finder.find(rule(), about(**labels), ())
    assert located == ()
    assert decision is not None
    assert (decision.outcome, decision.reason) == (Outcome.REFUSE, reason)
    assert next(iter(labels.values())) in decision.detail or reason is Reason.LABEL_ILLEGAL


def test_what_is_forbidden_is_asked_again_and_names_the_line_of_the_role(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """The pod may be read, its ReplicaSet may not; nothing is decided, for the right may be given meanwhile."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    (pod,) = pods_of(cluster, namespace, "web")
    rights = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    kubeconfig = cluster.user_kubeconfig("finder", namespace, rights)
    with finding(kubeconfig) as (finder, _), pytest.raises(Transient) as refused:
        finder.find(rule(), about(pod=name_of(pod)), ())
    assert refused.value.reason is Reason.FORBIDDEN
    assert 'resources: ["replicasets"]' in str(refused.value)


def test_only_the_namespaces_of_the_settings_are_looked_at(
    cluster: RealCluster, namespace: str, about: Callable[..., Alert]
) -> None:
    """An alert about another one is refused unasked; `*` means those of the settings."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    with finding(cluster.kubeconfig, namespaces=("elsewhere",)) as (finder, asked):
        _, decision = finder.find(rule(), about(deployment="web"), ())
        assert decision is not None
        assert decision.reason is Reason.WORKLOAD_UNKNOWN
        assert f"clusters.{CLUSTER}.namespaces" in decision.detail
        assert asked == []


def test_a_cluster_that_cannot_be_reached_is_asked_again_later(
    cluster: RealCluster, about: Callable[..., Alert], tmp_path: Path
) -> None:
    """Nothing is decided; the runner comes back."""
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(
        cluster.kubeconfig.read_text().replace(cluster.api.server, "https://127.0.0.1:1"), encoding="utf-8"
    )
    with finding(elsewhere) as (finder, _), pytest.raises(Transient):
        finder.find(rule(), about(deployment="web"), ())
