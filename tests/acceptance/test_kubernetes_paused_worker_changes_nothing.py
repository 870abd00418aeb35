"""A worker that is paused past its lease around its patch, and wakes when another has rolled the workload back.

It was stopped with the patch composed and not yet sent, or sent and its answer not yet read, all threads of it.
That patch names a resourceVersion that is gone by then, and the fence is in the workload: from outside, nothing
changes any more.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.alertmanager import body
from testbed.cluster import Cluster, Object
from testbed.kube_shop import KubeShop, gone_back, kube_installation, resolved
from testbed.paused import SHORT, Paused, stops_at
from testbed.redis import Redis

FENCE = "rollback-controller.io/fence"


def spec(workload: Object) -> tuple[str, int, str]:
    """Return what tells that somebody wrote: its uid, its generation, and the fence in it."""
    metadata = workload["metadata"]
    return metadata["uid"], metadata["generation"], metadata["annotations"][FENCE]


@pytest.mark.parametrize(("point", "patched_by"), [("http-patch.before", -1), ("http-patch.after", 0)])
def test_paused_around_the_patch(
    tmp_path: Path, redis_server: Redis, cluster: Cluster, kube_shop: KubeShop, point: str, patched_by: int
) -> None:
    """The template is written once, under the fence of whoever did it, and once more by nobody."""
    kube = kube_installation(tmp_path / "installed", redis_server.url, cluster.kubeconfig, more={"numbers": SHORT})
    with kube.serving():
        kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
        kube_shop.release("Deployment", "web-canary", "v3")
        bad = cluster.get("Deployment", kube_shop.namespace, "web-canary")
        revision = int(kube_shop.revision("web-canary"))
        firing = kube_shop.alert(deployment="web-canary")
        with kube.working("first", module=stops_at(point, tmp_path)) as first:
            kube.notify(body(firing))
            paused = Paused.by_itself(first, tmp_path)
            assert kube_shop.tag("Deployment", "web-canary") == ("v3" if point.endswith("before") else "v1")
            with kube.working("second"):
                gone_back(kube, kube_shop)
                after = spec(cluster.get("Deployment", kube_shop.namespace, "web-canary"))
                paused.resume()
                paused.says_that_it_lost()
                kube.notify(body(resolved(firing)))
                (rollback,) = kube.ended()
                journal = kube.rollback(rollback["id"])["journal"]
        now = cluster.get("Deployment", kube_shop.namespace, "web-canary")

        assert spec(now) == after
        assert int(kube_shop.revision("web-canary")) == revision + 1
    assert rollback["outcome"] == "recovered"
    assert after[1] == bad["metadata"]["generation"] + 1, "written once"
    fences = sorted({entry["fence"] for entry in journal})
    assert len(fences) == 2
    assert int(after[2]) == fences[patched_by]
    assert len([e for e in journal if e["kind"] == "done" and e["step_kind"] == "patch"]) == 1
