"""A tag may be pushed over: what is gone back to are the bits that ran, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.driven import Driven, params
from testbed.wait import until
from testbed.workloads import deployment

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import StepKind
from rules.rule import Pin
from workers.kubernetes.images import digests_of

ALWAYS = {"imagePullPolicy": "Always"}


def web(cluster: Cluster, namespace: str, recorded: Mapping[str, Mapping[str, str]], **over: object) -> Driven:
    return Driven(
        cluster, namespace, WorkloadKind.DEPLOYMENT, "web", params(**over), recorded=lambda: dict(recorded)
    )


def roll(cluster: Cluster, namespace: str, tag: str) -> str:
    """Roll a tag out, pulled anew, until no earlier pod is left; return the new revision's hash."""
    manifest = deployment("web", cluster.image(tag), replicas=1)
    manifest["spec"]["template"]["spec"]["containers"][0] |= ALWAYS
    cluster.roll(manifest, namespace)
    (pod,) = until(lambda: len(p := cluster.all("Pod", namespace)) == 1 and p, within_s=20, what="one pod is left")
    return str(pod["metadata"]["labels"]["pod-template-hash"])


def runs(cluster: Cluster, namespace: str) -> Mapping[str, str]:
    return digests_of(cluster.pods(namespace), {"app": cluster.images})


def moved(cluster: Cluster, namespace: str, tag: str) -> tuple[str, Mapping[str, str]]:
    """Run a tag, deploy another release over it, push the tag over; return the hash and digests that ran."""
    cluster.push(tag, f"{namespace}-old")
    old = roll(cluster, namespace, tag)
    ran = runs(cluster, namespace)
    roll(cluster, namespace, "v2")
    cluster.push(tag, f"{namespace}-new")
    return old, ran


def test_a_moved_tag_still_brings_the_old_bits_back(cluster: Cluster, namespace: str) -> None:
    """The digest that was recorded while it was healthy, under the spec's own repository."""
    old, ran = moved(cluster, namespace, "moved")
    driven = web(cluster, namespace, {old: ran})
    plan = driven.goes_back()
    assert runs(cluster, namespace) == ran
    found = cluster.get("Deployment", namespace, "web")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert found == f"{cluster.images}@{ran['app']}"
    assert driven.observed().running == plan.to_release == f"moved+{old}"


def test_a_moved_tag_that_is_trusted_is_found_out(cluster: Cluster, namespace: str) -> None:
    """`pin: never` writes the template as it was; pods that run other bits than were recorded are told."""
    old, ran = moved(cluster, namespace, "trusted")
    with pytest.raises(Permanent, match="the image's tag was moved") as mismatch:
        web(cluster, namespace, {old: ran}, pin=Pin.NEVER).goes_back()
    assert mismatch.value.reason is Reason.IMAGE_MISMATCH


def test_a_tag_that_moves_by_its_nature_is_not_trusted(cluster: Cluster, namespace: str) -> None:
    """`latest` without a recorded digest may be anything by now."""
    moved(cluster, namespace, "latest")
    choice = web(cluster, namespace, {}).choice()
    assert (choice.chosen, choice.reason) == (None, Reason.DIGEST_UNKNOWN)


def test_nothing_is_pinned_while_the_old_pods_run(cluster: Cluster, namespace: str) -> None:
    """Pinning would make another ReplicaSet, and the pods that serve would go."""
    cluster.push("latest", f"{namespace}-old")
    old = roll(cluster, namespace, "latest")
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))
    until(lambda: len(cluster.pods(namespace)) == 2, within_s=20, what="the bad release has a pod")
    web(cluster, namespace, {}).goes_back()
    (pod,) = until(lambda: len(p := cluster.pods(namespace)) == 1 and p, within_s=20, what="one pod is left")
    assert pod["metadata"]["labels"]["pod-template-hash"] == old


@pytest.mark.parametrize(("life", "pinned"), [("", True), ("5f1e-an-earlier-life", False)], ids=["own", "earlier"])
def test_what_an_earlier_life_ran_says_nothing(cluster: Cluster, namespace: str, life: str, pinned: bool) -> None:
    """A workload that was deleted and made anew has the hashes of before, and not its bits."""
    old = roll(cluster, namespace, "v1")
    ran = runs(cluster, namespace)
    roll(cluster, namespace, "v2")
    driven = Driven(
        cluster, namespace, WorkloadKind.DEPLOYMENT, "web", params(), recorded=lambda: {old: ran}, life=life
    )
    step = driven.step(driven.planned(), StepKind.PATCH)
    template: Any = step.values["template"]
    image = cluster.image("v1") if not pinned else f"{cluster.images}@{ran['app']}"
    assert template["spec"]["containers"][0]["image"] == image
