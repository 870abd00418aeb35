"""StatefulSets and DaemonSets go back as their own controllers would have it, on real pods."""

from __future__ import annotations

from testbed.alertmanager import body
from testbed.installation import Installation
from testbed.kube_shop import SERVICE, KubeShop
from testbed.wait import until
from testbed.workloads import NAME, daemonset, statefulset

CANARY = {NAME: SERVICE, "track": "canary"}


def test_a_statefulset_stuck_on_its_broken_pod_goes_back(kube: Installation, kube_shop: KubeShop) -> None:
    """Its controller waits for the broken pod for ever; the rollback takes that pod away, and no other."""
    cluster, namespace = kube_shop.cluster, kube_shop.namespace
    with kube.running():
        manifest = statefulset("db", cluster.image("v1"), labels=CANARY, pod_labels=CANARY, replicas=3)
        cluster.roll(manifest, namespace)
        uids = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in kube_shop.pods("db")}
        kube_shop.release("StatefulSet", "db", "v3")
        (broken,) = until(lambda: kube_shop.new_pods("db", "v3"), within_s=60, what="the broken pod")
        kube.notify(body(kube_shop.about_pod(broken)))
        until(lambda: kube_shop.tag("StatefulSet", "db") == "v1", within_s=60, what="the template goes back")
        cluster.wait_rolled_out("StatefulSet", namespace, "db")
        now = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in kube_shop.pods("db")}
    assert broken == "db-2"
    assert {name for name in now if now[name] != uids[name]} == {"db-2"}


def test_a_statefulset_partition_goes_back_and_the_pods_below_it_are_not_touched(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """An alert about a pod below the partition says nothing of the canary; one about the canary takes it back."""
    cluster, namespace = kube_shop.cluster, kube_shop.namespace
    with kube.running():
        manifest = statefulset(
            "db", cluster.image("v1"), labels=CANARY, pod_labels=CANARY, replicas=3, partition=2
        )
        cluster.roll(manifest, namespace)
        below = {pod["metadata"]["uid"] for pod in kube_shop.pods("db")[:2]}
        kube_shop.release("StatefulSet", "db", "v3")
        until(lambda: kube_shop.new_pods("db", "v3"), within_s=60, what="the canary pod")
        about_stable = kube_shop.about_pod("db-0")
        kube.notify(body(about_stable))
        decided = until(lambda: kube.decisions(about_stable["fingerprint"]), within_s=20, what="a decision")
        assert (decided[0]["outcome"], decided[0]["reason"]) == ("refuse", "stale")
        assert kube_shop.tag("StatefulSet", "db") == "v3"

        kube.notify(body(kube_shop.about_pod("db-2")))
        until(lambda: kube_shop.tag("StatefulSet", "db") == "v1", within_s=60, what="the template goes back")
        cluster.wait_rolled_out("StatefulSet", namespace, "db")
        assert {pod["metadata"]["uid"] for pod in kube_shop.pods("db")[:2]} == below
        found = cluster.get("StatefulSet", namespace, "db")
    assert found["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 2


def test_a_daemonset_goes_back(kube: Installation, kube_shop: KubeShop) -> None:
    """By its own ControllerRevisions."""
    cluster, namespace = kube_shop.cluster, kube_shop.namespace
    with kube.running():
        cluster.roll(daemonset("agent", cluster.image("v1"), labels=CANARY, pod_labels=CANARY), namespace)
        kube_shop.release("DaemonSet", "agent", "v3")
        (broken,) = until(lambda: kube_shop.new_pods("agent", "v3"), within_s=60, what="the broken pod")
        kube.notify(body(kube_shop.about_pod(broken)))
        until(lambda: kube_shop.tag("DaemonSet", "agent") == "v1", within_s=60, what="the template goes back")
        cluster.wait_rolled_out("DaemonSet", namespace, "agent")
