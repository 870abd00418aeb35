"""Workloads that a person means are looked up in a real cluster by what is live, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from testbed.cluster import Cluster
from testbed.workloads import NAME, daemonset, deployment

from controller.settings.clusters import ClusterSettings
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.errors import Permanent, Transient
from rules.instances import WorkloadInstance, WorkloadKind
from rules.workloads.by_hand import Wanted
from workers.kubernetes.access import Cluster as Way
from workers.kubernetes.access import connect_cluster
from workers.kubernetes.services import find_wanted

EU = "eu"


def found(kubeconfig: Path, wanted: Wanted, *confined: str) -> list[str]:
    def clusters(name: str) -> Way:
        return connect_cluster(name, ClusterSettings(kubeconfig=kubeconfig, namespaces=confined), Numbers())

    return [one.instance.id for one in find_wanted(clusters, (EU,), wanted)]


def ident(namespace: str, name: str, kind: str = "deployment") -> str:
    return f"kubernetes/{EU}/{namespace}/{kind}/{name}"


@pytest.fixture
def shop(cluster: Cluster, namespace: str) -> str:
    """Apply the shop: a canary, a stable one, an agent on each node, and another service; no pod runs."""
    for name, service, track in (
        ("web", "web", "stable"),
        ("web-canary", "web", "canary"),
        ("pay", "pay", "stable"),
    ):
        labels = {NAME: service, "track": track}
        cluster.apply(deployment(name, cluster.image("v1"), replicas=0, pod_labels=labels), namespace)
    never = {"nodeSelector": {"no": "node"}}
    agent = daemonset("agent", cluster.image("v1"), pod_labels={NAME: "web", "track": "agent"})
    agent["spec"]["template"]["spec"] |= never
    cluster.apply(agent, namespace)
    return namespace


def test_a_service_is_found_by_the_labels_of_its_pods(cluster: Cluster, shop: str) -> None:
    """Of every kind; `only` narrows it, `--all` means all of them."""
    wanted = Wanted("web", namespace=shop)
    assert found(cluster.kubeconfig, wanted) == [
        ident(shop, "agent", "daemonset"),
        ident(shop, "web"),
        ident(shop, "web-canary"),
    ]
    canary = Wanted("web", only={"track": ("canary",)})
    assert found(cluster.kubeconfig, canary, shop) == [ident(shop, "web-canary")]


def test_a_named_workload_is_looked_at(cluster: Cluster, shop: str) -> None:
    """It must be there, and belong to the service that was said."""
    web = WorkloadInstance(EU, shop, WorkloadKind.DEPLOYMENT, "web")
    assert found(cluster.kubeconfig, Wanted("web", (web, web))) == [web.id]
    for wanted, reason in (
        (Wanted("pay", (web,)), Reason.SERVICE_UNKNOWN),
        (Wanted("web", (WorkloadInstance(EU, shop, WorkloadKind.DEPLOYMENT, "wbe"),)), Reason.WORKLOAD_UNKNOWN),
        (
            Wanted("web", (WorkloadInstance(EU, "no-such", WorkloadKind.DEPLOYMENT, "web"),)),
            Reason.WORKLOAD_UNKNOWN,
        ),
        (Wanted("nothing", namespace=shop), Reason.SERVICE_UNKNOWN),
    ):
        with pytest.raises(Permanent) as refused:
            found(cluster.kubeconfig, wanted)
        assert refused.value.reason is reason


def test_a_namespace_that_the_settings_leave_out_is_not_looked_at(cluster: Cluster, shop: str) -> None:
    """And the message says where to add it."""
    with pytest.raises(Permanent, match=r"clusters\.eu\.namespaces"):
        found(cluster.kubeconfig, Wanted("web", namespace=shop), "other")


def test_a_cluster_that_does_not_answer_may_answer_later(tmp_path: Path, cluster: Cluster) -> None:
    """Nothing is known of it then, so nothing is refused for good."""
    away = tmp_path / "kubeconfig"
    away.write_text(re.sub(r"https://[^\"\s]+", "https://127.0.0.1:1", cluster.kubeconfig.read_text()))
    with pytest.raises(Transient):
        found(away, Wanted("web"))
