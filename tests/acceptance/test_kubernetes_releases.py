"""Which bits a rollback brings back: a tag that moved meanwhile, and what the stable workload runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, gone_back, kube_installation, kube_rules
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings

OBSERVED = {"numbers": {"group_interval_s": 1, "observe_every_s": 1}}
AT_ONCE = {"strategy": {"type": "Recreate"}}
"""No pod of the old release stays, whose image the node would still know."""


@pytest.fixture
def observed(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Installation:
    """Give an installation whose observer looks every second."""
    folder = tmp_path / "installed"
    rules = kube_rules(to=["previous", {"same-as": {"track": "stable"}}])
    return kube_installation(folder, redis_server.url, cluster.kubeconfig, rules=rules, more=OBSERVED)


def noted(server: Redis, shop: KubeShop, name: str) -> set[str]:
    """Return the digests that were noted of a Deployment's revisions."""
    ledger = connect(RedisSettings(url=server.url), Numbers(), "worker")
    try:
        found = ledger.sightings.digests(shop.instance("deployment", name))
    finally:
        ledger.close()
    return {digest for life in found.values() for revision in life.values() for digest in revision.values()}


def running_digests(shop: KubeShop, name: str) -> set[str]:
    """Return the digests that the pods of a workload really run."""
    statuses = [status for pod in shop.pods(name) for status in pod["status"]["containerStatuses"]]
    return {status["imageID"].rpartition("@")[2] for status in statuses}


def test_a_moved_tag(observed: Installation, redis_server: Redis, kube_shop: KubeShop) -> None:
    """Other bits were pushed under the tag; the rollback still runs the old ones, by their digest."""
    cluster = kube_shop.cluster
    tag = f"moving-{kube_shop.namespace[-8:]}"
    old = cluster.push(tag, f"{tag}-old")
    with observed.running():
        kube_shop.deploy("web-canary", tag, "canary", replicas=1, **AT_ONCE)
        until(
            lambda: noted(redis_server, kube_shop, "web-canary") == {old},
            within_s=30,
            what="the digest is noted",
        )
        assert cluster.push(tag, f"{tag}-new") != old
        kube_shop.release("Deployment", "web-canary", "v3")
        pods = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")
        until(
            lambda: len(kube_shop.pods("web-canary")) == 1, within_s=30, what="no pod of the old release is left"
        )
        observed.notify(body(kube_shop.about_pod(pods[0])))
        gone_back(observed, kube_shop)
        until(lambda: len(kube_shop.pods("web-canary")) == 1, within_s=30, what="the bad pod is gone")
        assert running_digests(kube_shop, "web-canary") == {old}
        repository = cluster.images
        assert kube_shop.image("Deployment", "web-canary") == f"{repository}@{old}"


def test_a_canary_brought_to_what_stable_runs(observed: Installation, kube_shop: KubeShop) -> None:
    """A canary's first revision has nothing before it: it gets the images of the stable workload, and no more."""
    with observed.running():
        kube_shop.deploy("web", "v1", "stable")
        stable = kube_shop.uids("web")
        manifest = kube_shop.manifest("web-canary", "v3", "canary", replicas=1)
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "COLOUR", "value": "yellow"}]
        kube_shop.cluster.apply(manifest, kube_shop.namespace)
        pods = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")
        observed.notify(body(kube_shop.about_pod(pods[0])))
        rollback = gone_back(observed, kube_shop)
        until(lambda: len(kube_shop.pods("web-canary")) == 1, within_s=30, what="the bad pod is gone")
        assert running_digests(kube_shop, "web-canary") == running_digests(kube_shop, "web")
        found = kube_shop.cluster.get("Deployment", kube_shop.namespace, "web-canary")
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert container["env"] == [{"name": "COLOUR", "value": "yellow"}]
        assert found["spec"]["replicas"] == 1
        assert kube_shop.uids("web") == stable
    assert rollback["to"].startswith("v1")


def test_a_canarys_first_revision_has_nothing_before_it(kube: Installation, kube_shop: KubeShop) -> None:
    """Where `to` offers no more than `previous`, it is left alone and waits, and the record says why."""
    with kube.running():
        kube_shop.cluster.apply(kube_shop.manifest("web-canary", "v3", "canary", replicas=1), kube_shop.namespace)
        pods = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="a bad pod")
        kube.notify(body(kube_shop.about_pod(pods[0])))
        until(
            lambda: [(one["state"], one["reason"]) for one in kube.rollbacks()] == [("waiting", "first-release")],
            within_s=60,
            what="it waits for a release to go to",
        )
        assert kube_shop.tag("Deployment", "web-canary") == "v3"
