"""The worker is killed while a workload goes back: another carries on, and the change is made once."""

from __future__ import annotations

from testbed.alertmanager import body
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, gone_back, resolved
from testbed.wait import until


def test_a_worker_killed_right_after_the_patch(kube: Installation, kube_shop: KubeShop) -> None:
    """Every process of it dies by SIGKILL; the next one sees the patch done, and watches the rollout."""
    with kube.serving():
        kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
        kube_shop.release("Deployment", "web-canary", "v3")
        pods = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")
        revision = int(kube_shop.revision("web-canary"))
        firing = kube_shop.about_pod(pods[0])
        with kube.working("first") as worker:
            kube.notify(body(firing))
            until(
                lambda: kube_shop.tag("Deployment", "web-canary") == "v1",
                within_s=30,
                what="the patch",
                every_s=0.005,
            )
            worker.kill()
        with kube.working("second"):
            gone_back(kube, kube_shop)
            kube.notify(body(resolved(firing)))
            (rollback,) = kube.ended()
            told = kube.rollback(rollback["id"])
        assert int(kube_shop.revision("web-canary")) == revision + 1
    assert rollback["outcome"] == "recovered"
    patched = [e for e in told["journal"] if e.get("step_kind") == "patch" and e["kind"] == "done"]
    assert len(patched) == 1
