"""A failover that set Redis' clock and counter back: a workload bears a higher fence than any that is minted."""

from __future__ import annotations

from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, gone_back, resolved

BEFORE_IT_WENT_BACK = 4_000_000_000_000
"""A fence of a time, in milliseconds, that no clock here shows for decades."""
RAISED = BEFORE_IT_WENT_BACK + 1
FENCE = "rollback-controller.io/fence"


def test_it_is_raised_before_a_workload_is_changed(
    kube: Installation, cluster: Cluster, kube_shop: KubeShop
) -> None:
    """The annotation of the workload shows it; the patch writes the higher one."""
    name, remembered = "web-canary", {"metadata": {"annotations": {FENCE: str(BEFORE_IT_WENT_BACK)}}}
    with kube.serving(), kube.working() as machine:
        kube_shop.deploy(name, "v1", "canary", replicas=1)
        cluster.patch("Deployment", kube_shop.namespace, name, remembered)
        kube_shop.release("Deployment", name, "v3")
        firing = kube_shop.alert(deployment=name)
        kube.notify(body(firing))
        gone_back(kube, kube_shop)
        kube.notify(body(resolved(firing)))
        (rollback,) = kube.ended()
        now = cluster.get("Deployment", kube_shop.namespace, name)
    assert (rollback["outcome"], kube_shop.tag("Deployment", name)) == ("recovered", "v1")
    assert now["metadata"]["annotations"][FENCE] == str(RAISED)
    assert machine.log().count("lease.fence_raised") == 1
