"""What a canary can be brought to besides its own history: the images of stable, or no pods at all."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.cluster import Cluster, Object
from testbed.driven import Driven, params
from testbed.workloads import NAME, container, deployment, service

from rules.instances import WorkloadKind
from rules.rule import Pin
from rules.to import Previous, SameAs, ScaleToZero, To, Version

STABLE = SameAs({"track": ("stable",)})


def shop(cluster: Cluster, name: str, tag: str, track: str, **more: Any) -> Object:
    labels = {NAME: "shop", "track": track}
    return deployment(name, cluster.image(tag), pod_labels=labels, **({"replicas": 1} | more))


def canary(cluster: Cluster, namespace: str, *to: To, **over: object) -> Driven:
    return Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web-canary", params(to=to, **over))


def image_of(cluster: Cluster, namespace: str, name: str = "web-canary") -> str:
    found = cluster.get("Deployment", namespace, name)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def drop(driven: Driven) -> tuple[str, str]:
    """Return the reason and the words with which the last entry of `to` was refused."""
    choice = driven.choice()
    assert choice.chosen is None, choice
    return choice.candidates[-1].reason, choice.candidates[-1].detail


def test_a_canary_is_brought_to_what_stable_runs(cluster: Cluster, namespace: str) -> None:
    """Its images alone, by the digest that stable's pods run; labels and replicas stay its own."""
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    stable = {pod["metadata"]["uid"] for pod in cluster.pods(namespace, "track=stable")}
    driven = canary(cluster, namespace, Previous(), STABLE)
    plan = driven.goes_back()
    assert plan.to_release.startswith("v1+")
    assert image_of(cluster, namespace).startswith(f"{cluster.images}@sha256:")
    labels = cluster.get("Deployment", namespace, "web-canary")["spec"]["template"]["metadata"]["labels"]
    assert labels["track"] == "canary"
    assert {pod["metadata"]["uid"] for pod in cluster.pods(namespace, "track=stable")} == stable
    assert driven.observed().running == plan.to_release


def test_it_is_known_by_that_name_when_the_next_release_is_bad_too(cluster: Cluster, namespace: str) -> None:
    """What was brought before has a name of its own in the history."""
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    first = canary(cluster, namespace, STABLE).goes_back()
    cluster.set_image("Deployment", namespace, "web-canary", cluster.image("crash"))
    assert canary(cluster, namespace, Previous()).planned().to_release == first.to_release


def test_nothing_is_copied_from_a_stable_that_is_not_well(cluster: Cluster, namespace: str) -> None:
    """Fully rolled out and healthy, or nothing."""
    cluster.apply(shop(cluster, "web", "v3", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    reason, detail = drop(canary(cluster, namespace, STABLE))
    assert reason == "stable-not-ready"
    assert "web is not fully rolled out" in detail


def test_nothing_is_copied_where_stable_runs_the_same(cluster: Cluster, namespace: str) -> None:
    """Only configuration differs: going to stable's images would change nothing that matters."""
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.roll(shop(cluster, "web-canary", "v1", "canary"), namespace)
    assert drop(canary(cluster, namespace, STABLE))[0] == "same-images"


def test_a_container_without_a_counterpart_is_not_guessed(cluster: Cluster, namespace: str) -> None:
    """Every container of the canary needs one of the same name."""
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    manifest = shop(cluster, "web-canary", "bad", "canary")
    extra = container("sidecar", cluster.image("v1"), probe=False, ports=[])
    manifest["spec"]["template"]["spec"]["containers"].append(extra)
    cluster.apply(manifest, namespace)
    reason, detail = drop(canary(cluster, namespace, STABLE))
    assert reason == "release-incomplete"
    assert "no container sidecar" in detail


@pytest.mark.parametrize(
    ("others", "reason"),
    [((), "stable-not-ready"), (("web", "web-old"), "instance-ambiguous")],
    ids=["none", "two"],
)
def test_stable_has_to_be_one(cluster: Cluster, namespace: str, others: tuple[str, ...], reason: str) -> None:
    """None is refused, and so are two; the first of them is never taken."""
    for name in others:
        cluster.roll(shop(cluster, name, "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    assert drop(canary(cluster, namespace, STABLE))[0] == reason


def test_stable_may_be_named_by_tag_alone(cluster: Cluster, namespace: str) -> None:
    """`pin: never` trusts the tag."""
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    canary(cluster, namespace, STABLE, pin=Pin.NEVER).goes_back()
    assert image_of(cluster, namespace) == cluster.image("v1")


def test_a_canary_is_scaled_to_zero_and_back(cluster: Cluster, namespace: str) -> None:
    """Stable serves in its place; the number of pods is kept for the way back."""
    cluster.create(service("shop", {NAME: "shop"}), namespace)
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary", replicas=2), namespace)
    driven = canary(cluster, namespace, Previous(), ScaleToZero())
    plan = driven.goes_back()
    found = cluster.get("Deployment", namespace, "web-canary")
    assert found["spec"]["replicas"] == 0
    assert found["metadata"]["annotations"]["rollback-controller.io/replicas"] == "2"
    assert driven.observed().running == plan.to_release == "scaled-to-zero"
    assert drop(driven)[0] == "release-current"
    driven.carry_out(driven.driver.plan_way_back(plan, driven.observed()))
    found = cluster.get("Deployment", namespace, "web-canary")
    assert found["spec"]["replicas"] == 2
    assert "rollback-controller.io/replicas" not in found["metadata"]["annotations"]


def test_nothing_is_scaled_to_zero_where_nobody_else_serves(cluster: Cluster, namespace: str) -> None:
    """A Service that selects these pods would be left without one."""
    cluster.create(service("shop", {NAME: "shop", "track": "canary"}), namespace)
    cluster.roll(shop(cluster, "web", "v1", "stable"), namespace)
    cluster.apply(shop(cluster, "web-canary", "bad", "canary"), namespace)
    reason, detail = drop(canary(cluster, namespace, ScaleToZero()))
    assert reason == "service-would-be-empty"
    assert "Service shop" in detail


def test_a_release_brings_the_pods_back_that_were_taken_away(cluster: Cluster, namespace: str) -> None:
    """Scaled to zero by one rollback, and brought to a good release by the next: as many pods as there were."""
    cluster.roll(shop(cluster, "web-canary", "v1", "canary", replicas=2), namespace)
    cluster.set_image("Deployment", namespace, "web-canary", cluster.image("v2"))
    cluster.wait_rolled_out("Deployment", namespace, "web-canary")
    canary(cluster, namespace, ScaleToZero()).goes_back()
    rules = params(to=(Version("v1"),))
    named = (cluster, namespace, WorkloadKind.DEPLOYMENT, "web-canary")
    later = Driven(*named, rules, rollback="rtest00002", fence=2000)
    assert later.goes_back().to_release.startswith("v1+")
    found = cluster.get("Deployment", namespace, "web-canary")
    assert found["spec"]["replicas"] == 2
    assert "rollback-controller.io/replicas" not in found["metadata"]["annotations"]
