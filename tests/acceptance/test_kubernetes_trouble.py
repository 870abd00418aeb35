"""What stands in the way of a rollback in a cluster: the API server gone, rights missing, names that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.access import READS
from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, gone_back, kube_installation
from testbed.redis import Redis
from testbed.wait import until


@pytest.fixture
def bad(kube_shop: KubeShop) -> str:
    """Give a pod of a canary whose second release is bad."""
    kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
    kube_shop.release("Deployment", "web-canary", "v3")
    return until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")[0]


def test_the_api_server_is_stopped_and_started_mid_rollback(
    kube: Installation, kube_shop: KubeShop, bad: str
) -> None:
    """The change is made, the rollout is watched: the server goes, comes again, and the watch goes on."""
    with kube.running():
        kube.notify(body(kube_shop.about_pod(bad)))
        until(lambda: kube_shop.tag("Deployment", "web-canary") == "v1", within_s=30, what="the change is made")
        kube_shop.cluster.stop_api()
        try:
            until(
                lambda: any(r["reason"] == "unreachable" for r in kube.rollbacks()),
                within_s=30,
                what="the rollback has met the missing server",
            )
        finally:
            kube_shop.cluster.start_api()
        rollback = gone_back(kube, kube_shop)
        (before,) = kube_shop.revision("web-canary")
        assert kube_shop.tag("Deployment", "web-canary") == "v1"
    assert (rollback["to"][:3], before) == ("v1+", "3"), "one change"


def test_an_alert_that_comes_while_the_api_server_is_away_is_not_lost(
    kube: Installation, kube_shop: KubeShop, bad: str
) -> None:
    """It is accepted, looked at again, and acted on when the server is there."""
    with kube.running():
        kube_shop.cluster.stop_api()
        try:
            assert kube.notify(body(kube_shop.about_pod(bad))).status == 202
            assert kube.rollbacks() == []
        finally:
            kube_shop.cluster.start_api()
        gone_back(kube, kube_shop)
        assert kube_shop.tag("Deployment", "web-canary") == "v1"


def test_a_namespace_in_which_rbac_allows_reading_only(
    tmp_path: Path, redis_server: Redis, cluster: Cluster, kube_shop: KubeShop, bad: str
) -> None:
    """Nothing is changed, and the record names the line that the Role lacks."""
    reader = cluster.user_kubeconfig("reader", kube_shop.namespace, READS)
    installed = kube_installation(tmp_path / "installed", redis_server.url, reader)
    before = cluster.get("Deployment", kube_shop.namespace, "web-canary")["metadata"]["generation"]
    with installed.running():
        installed.notify(body(kube_shop.about_pod(bad)))
        (rollback,) = installed.ended()
    assert (rollback["state"], rollback["reason"]) == ("ended", "forbidden")
    assert "patch" in rollback["detail"]
    assert "deployments" in rollback["detail"]
    assert cluster.get("Deployment", kube_shop.namespace, "web-canary")["metadata"]["generation"] == before


UNKNOWN = [
    ({"deployment": "cart"}, "workload-unknown"),
    ({"statefulset": "web-canary"}, "workload-unknown"),
    ({"pod": "cart-7d4b9c6f5-x2x9z"}, "pod-gone"),
    ({"deployment": "../../../pods"}, "label-illegal"),
    ({"deployment": "web-canary", "namespace": "no-such-namespace"}, "workload-unknown"),
    ({"deployment": "web-canary", "namespace": "kube-system/pods"}, "label-illegal"),
    ({}, "workload-unknown"),
]


def test_what_is_not_there_is_refused_with_a_reason_and_drops_no_other(
    kube: Installation, kube_shop: KubeShop, bad: str
) -> None:
    """One body with every kind of bad name, and one good alert: the good one acts, each bad one says why not."""
    alerts = [kube_shop.alert(n=str(n), **labels) for n, (labels, _) in enumerate(UNKNOWN)]
    with kube.running():
        kube.notify(body(*alerts, kube_shop.about_pod(bad)))
        gone_back(kube, kube_shop)
        for firing, (labels, reason) in zip(alerts, UNKNOWN, strict=True):
            decided = until(
                lambda firing=firing: kube.decisions(firing["fingerprint"]), within_s=20, what="a decision"
            )
            assert decided[0]["reason"] == reason, (labels, decided)
            assert decided[0]["outcome"] in {"refuse", "hold"}
        assert len(kube.rollbacks()) == 1
