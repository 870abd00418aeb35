"""What went wrong in other tools, one test each, by name, on workloads of a real cluster.

One installation serves the whole file; each test has a namespace of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, kube_installation, kube_rules, resolved
from testbed.redis import valkey
from testbed.wait import stays, until


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Installation]:
    """Run the installation that all traps of this file are set in."""
    folder = tmp_path_factory.mktemp("traps")
    (folder / "redis").mkdir()
    with valkey(folder / "redis") as redis:
        by_tag = kube_rules(pin="never")
        installed = kube_installation(folder / "installed", redis.url, cluster.kubeconfig, rules=by_tag)
        with installed.running():
            yield installed


def rollback(kube: Installation, shop: KubeShop, name: str) -> dict[str, Any]:
    """Return the one rollback of a Deployment; fails where there is none, or more."""
    ours = shop.instance("deployment", name)
    found = [one for one in kube.rollbacks() if one["instance"] == ours]
    assert len(found) == 1, found
    return found[0]


def goes_back(kube: Installation, shop: KubeShop, name: str) -> None:
    """Wait until one rollback has brought v1 to a Deployment, and see it rolled out."""
    until(lambda: shop.tag("Deployment", name) == "v1", within_s=30, what=f"{name} goes back")
    until(
        lambda: rollback(kube, shop, name)["state"] == "verifying", within_s=60, what=f"{name} is being verified"
    )
    shop.cluster.wait_rolled_out("Deployment", shop.namespace, name)


def test_trap_11_one_alert_about_a_deleted_pod_beside_one_about_a_living_pod(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """Nothing is dropped with it: the gone one is refused where nobody can say whose it was, and only it.

    Whose pod it was is known as long as its ReplicaSet is there: that one goes back like its neighbour.
    """
    for name in ("web-canary", "cart-canary", "old-canary"):
        made = kube_shop.manifest(name, "v1", "canary", service=name, replicas=1)
        kube_shop.cluster.apply(made, kube_shop.namespace)
    for name in ("web-canary", "cart-canary", "old-canary"):
        kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, name)
    for name in ("web-canary", "cart-canary"):
        kube_shop.release("Deployment", name, "v3")
    (orphaned,) = kube_shop.pod_names("old-canary")
    kube_shop.cluster.delete("Deployment", kube_shop.namespace, "old-canary")
    living = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")[0]
    replaced = until(lambda: kube_shop.new_pods("cart-canary", "v3"), within_s=30, what="a bad pod")[0]
    kube_shop.cluster.delete("Pod", kube_shop.namespace, replaced)
    until(lambda: not are_there(kube_shop, orphaned, replaced), within_s=60, what="the pods are gone")

    about_orphaned, about_replaced = kube_shop.about_pod(orphaned), kube_shop.about_pod(replaced)
    assert kube.notify(body(about_orphaned, about_replaced, kube_shop.about_pod(living))).status == 202

    for name in ("web-canary", "cart-canary"):
        goes_back(kube, kube_shop, name)
    (decided,) = until(
        lambda: kube.decisions(about_orphaned["fingerprint"]), within_s=20, what="the deleted pod is decided on"
    )
    assert (decided["outcome"], decided["reason"]) == ("refuse", "pod-gone")
    assert orphaned in decided["detail"]


def are_there(shop: KubeShop, *pods: str) -> set[str]:
    """Return which of these pods are still there, on their way out or not."""
    return {pod["metadata"]["name"] for pod in shop.cluster.all("Pod", shop.namespace)} & set(pods)


def test_trap_15_a_template_that_its_controller_has_not_observed_is_no_rollback_yet(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """The patch is stored, the status still tells of the release before, and all of that is healthy.

    Neither that nor the resolve makes it a success: only that the controller has seen it, and the pods run it.
    """
    cluster = kube_shop.cluster
    kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
    kube_shop.release("Deployment", "web-canary", "v2")
    cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
    firing = kube_shop.alert(deployment="web-canary")
    with cluster.without_controllers():
        kube.notify(body(firing))
        until(lambda: kube_shop.tag("Deployment", "web-canary") == "v1", within_s=30, what="the patch")
        kube.notify(body(resolved(firing)))
        stale = cluster.get("Deployment", kube_shop.namespace, "web-canary")
        assert stale["status"]["observedGeneration"] < stale["metadata"]["generation"]
        assert stale["status"]["availableReplicas"] == stale["status"]["updatedReplicas"] == 1
        stays(
            lambda: rollback(kube, kube_shop, "web-canary")["state"] in {"acting", "parked"},
            for_s=3,
            what="what nobody has taken up is still being done",
        )
        assert kube_shop.new_pods("web-canary", "v2"), "nothing has become of it yet"
    until(lambda: rollback(kube, kube_shop, "web-canary")["outcome"] == "recovered", within_s=60, what="it ends")
    assert kube_shop.new_pods("web-canary", "v1"), "v1 runs"


def test_trap_15_a_release_that_its_controller_has_not_observed_is_not_judged_by_the_one_before(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """The release just deployed is no revision yet: who went back from the newest one would go past v1."""
    cluster = kube_shop.cluster
    kube_shop.deploy("web-canary", "v2", "canary", replicas=1)
    kube_shop.release("Deployment", "web-canary", "v1")
    cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
    with cluster.without_controllers():
        kube_shop.release("Deployment", "web-canary", "v3")
        kube.notify(body(kube_shop.alert(deployment="web-canary")))
        stays(
            lambda: kube_shop.tag("Deployment", "web-canary") == "v3",
            for_s=3,
            what="nothing is done before the controller has seen the release",
        )
    goes_back(kube, kube_shop, "web-canary")
