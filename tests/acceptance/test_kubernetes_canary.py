"""An alert about a canary takes the canary back, on real pods, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from testbed.alertmanager import body
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, gone_back, resolved
from testbed.wait import until


@contextlib.contextmanager
def bad_canary(shop: KubeShop, tag: str = "v3", **more: Any) -> Iterator[set[str]]:
    """Run v1 everywhere, then release a bad canary; gives the uids of the stable pods, which must not change."""
    shop.deploy("web", "v1", "stable")
    shop.deploy("web-canary", "v1", "canary", **more)
    stable = shop.uids("web")
    shop.release("Deployment", "web-canary", tag)
    until(lambda: shop.new_pods("web-canary", tag), within_s=30, what="the bad canary has pods")
    yield stable
    assert shop.uids("web") == stable, "the stable pods were touched"
    assert shop.tag("Deployment", "web") == "v1"


def test_a_canary_with_a_bad_image_goes_back_and_the_stable_pods_keep_their_uids(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """One alert about one pod of the canary; the resolve ends it as recovered."""
    with kube.running(), bad_canary(kube_shop):
        (pod, *_) = kube_shop.new_pods("web-canary", "v3")
        firing = kube_shop.about_pod(pod)
        assert kube.notify(body(firing)).status == 202
        gone_back(kube, kube_shop)
        assert kube_shop.tag("Deployment", "web-canary") == "v1"
        kube.notify(body(resolved(firing)))
        (rollback,) = kube.ended()
    assert (rollback["outcome"], rollback["instance"]) == (
        "recovered",
        kube_shop.instance("deployment", "web-canary"),
    )
    assert rollback["service"] == "shop"
    assert (rollback["from"][:3], rollback["to"][:3]) == ("v3+", "v1+")


def test_thirty_alerts_for_thirty_pods_are_one_rollback(kube: Installation, kube_shop: KubeShop) -> None:
    """Every pod of a canary alerts; the canary goes back once, and never through the controller's hands twice."""
    with kube.running():
        kube_shop.deploy("web-canary", "v1", "canary", replicas=0)
        kube_shop.release("Deployment", "web-canary", "v3")
        kube_shop.scale("web-canary", 30)
        pods = until(lambda: thirty(kube_shop), within_s=60, what="thirty bad pods")
        revision = int(kube_shop.revision("web-canary"))
        alerts = [kube_shop.about_pod(pod) for pod in pods]
        assert kube.notify(body(*alerts)).status == 202
        until(lambda: kube_shop.tag("Deployment", "web-canary") == "v1", within_s=30, what="it goes back")
        until(
            lambda: all(kube.decisions(alert["fingerprint"]) for alert in alerts),
            within_s=60,
            what="every alert has its decision",
        )
        kube_shop.scale("web-canary", 1)
        kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
        (rollback,) = kube.rollbacks()
    assert len(rollback["episodes"]) == 30
    assert int(kube_shop.revision("web-canary")) == revision + 1, "one change"


def thirty(shop: KubeShop) -> list[str]:
    """Return the bad pods once there are thirty."""
    pods = shop.new_pods("web-canary", "v3")
    assert len(pods) == 30, len(pods)
    return pods


def test_a_mixed_group_of_canary_and_stable_alerts_touches_the_canary_alone(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """The stable pods alert as well; `track: canary` is read from the live objects."""
    with kube.running(), bad_canary(kube_shop):
        stable_pod = kube_shop.pod_names("web")[0]
        (canary_pod, *_) = kube_shop.new_pods("web-canary", "v3")
        lying = kube_shop.about_pod(stable_pod, track="canary")
        assert kube.notify(body(lying, kube_shop.about_pod(canary_pod))).status == 202
        gone_back(kube, kube_shop)
        decided = until(
            lambda: kube.decisions(lying["fingerprint"]), within_s=20, what="the stable alert is decided"
        )
        assert len(kube.rollbacks()) == 1
    assert (decided[0]["outcome"], decided[0]["reason"]) == ("no-match", "not-selected")


def test_five_services_in_one_notification_go_back_in_parallel(kube: Installation, kube_shop: KubeShop) -> None:
    """One body, five services, five rollbacks."""
    names = [f"s{n}-canary" for n in range(5)]
    with kube.running():
        for name in names:
            kube_shop.cluster.apply(
                kube_shop.manifest(name, "v1", "canary", service=name[:2], replicas=1), kube_shop.namespace
            )
        for name in names:
            kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, name)
            kube_shop.release("Deployment", name, "v3")
        pods = [
            until(lambda name=name: kube_shop.new_pods(name, "v3"), within_s=30, what="a bad pod")[0]
            for name in names
        ]
        assert kube.notify(body(*map(kube_shop.about_pod, pods))).status == 202
        for name in names:
            until(lambda name=name: kube_shop.tag("Deployment", name) == "v1", within_s=60, what=f"{name} is back")
        rollbacks = kube.rollbacks()
    assert sorted(r["service"] for r in rollbacks) == [name[:2] for name in names]


def test_a_mid_rollout_deployment_goes_back_without_losing_the_old_pods(
    kube: Installation, kube_shop: KubeShop
) -> None:
    """The new pods never became ready, so the old ones still serve: they go on serving."""
    with kube.running():
        kube_shop.deploy("web-canary", "v1", "canary", replicas=3)
        serving = kube_shop.uids("web-canary")
        kube_shop.release("Deployment", "web-canary", "v3")
        pods = until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="the bad canary has pods")
        still = serving & kube_shop.uids("web-canary")
        assert still
        kube.notify(body(kube_shop.about_pod(pods[0])))
        gone_back(kube, kube_shop)
        assert still <= kube_shop.uids("web-canary")


def test_revision_gaps_never_oscillate_between_two_bad_releases(kube: Installation, kube_shop: KubeShop) -> None:
    """v1 → v2 → back → v3 → back, and no further: both v2 and v3 were rolled back from."""
    with kube.running():
        kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
        for count, tag in enumerate(("bad", "v3"), start=1):
            kube_shop.release("Deployment", "web-canary", tag)
            pods = until(lambda tag=tag: kube_shop.new_pods("web-canary", tag), within_s=30, what="a bad pod")
            firing = kube_shop.about_pod(pods[0])
            kube.notify(body(firing))
            until(lambda: kube_shop.tag("Deployment", "web-canary") == "v1", within_s=60, what="it is back on v1")
            kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
            kube.notify(body(resolved(firing)))
            kube.ended(count=count)
        good = until(lambda: kube_shop.new_pods("web-canary", "v1"), within_s=30, what="a pod of v1")
        kube.notify(body(kube_shop.about_pod(good[0], again="yes")))
        found = kube.ended(count=3)
        refused = next(r for r in found if r["outcome"] == "refused")
    assert kube_shop.tag("Deployment", "web-canary") == "v1"
    assert refused["reason"] in {"effect-already-made", "no-candidate"}
