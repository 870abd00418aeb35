"""An alert about a canary that Argo CD keeps: the Application is paused, the canary goes back, Argo CD goes on."""

from __future__ import annotations

from pathlib import Path

from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.gitops_owners import application, compared, define, marks_of
from testbed.kube_shop import KubeShop, gone_back, kube_installation, kube_rules
from testbed.redis import Redis
from testbed.wait import until


def test_the_owner_is_paused_and_goes_on(
    tmp_path: Path, redis_server: Redis, cluster: Cluster, kube_shop: KubeShop
) -> None:
    """By the real processes, from the rule file to the observer; Argo CD's controller is played by the test."""
    define(cluster)
    owner = application(cluster, kube_shop.namespace, workloads=("web-canary",))
    before = owner.now()["spec"]
    installed = kube_installation(
        tmp_path / "installed",
        redis_server.url,
        cluster.kubeconfig,
        rules=kube_rules(guards={"gitops": "pause"}),
        more={"numbers": {"group_interval_s": 1, "observe_every_s": 1}},
    )
    with installed.running():
        kube_shop.deploy("web-canary", "v1", "canary", **marks_of(owner, "web-canary"))
        kube_shop.release("Deployment", "web-canary", "v3")
        (pod, *_) = until(
            lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="the bad canary has pods"
        )
        assert installed.notify(body(kube_shop.about_pod(pod))).status == 202
        rollback = gone_back(installed, kube_shop)
        assert kube_shop.tag("Deployment", "web-canary") == "v1"
        assert "automated" not in owner.now()["spec"]["syncPolicy"]
        assert rollback["id"] in owner.now()["metadata"]["annotations"]["rollback-controller.io/paused"]

        owner.says(compared(kube_shop.namespace, "bbbb", "Synced", ("web-canary",), later_s=5))
        until(lambda: owner.now()["spec"] == before, within_s=20, what="Argo CD goes on as before")
        assert "rollback-controller.io/paused" not in owner.now()["metadata"].get("annotations", {})
    assert kube_shop.tag("Deployment", "web-canary") == "v1"
