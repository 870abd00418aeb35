"""What a workload can be brought to besides its own history, and each reason why it cannot.

The cluster is a stand-in that answers lists: it shows which are asked for, and stands for KEDA, whose kinds the
testbed's API server does not know.
"""

from __future__ import annotations

from typing import Any

import pytest
from testbed.kube_facts import (
    DIGEST,
    OTHER_DIGEST,
    WEB,
    deployment,
    pod,
    replicaset,
    template,
    workload,
)

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.rule import Pin
from rules.to import SameAs, ScaleToZero
from workers.kubernetes.failures import Forbidden, NotFound
from workers.kubernetes.live import Live, live
from workers.kubernetes.offers import Found, Offers
from workers.kubernetes.plan import Goal, Params

STABLE = SameAs({"track": ("stable",)})
CANARY = template("v2", labels={"track": "canary"})
ALL_WELL = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


class Lists:
    """Answers lists by the last word of their path; what is not there is not found."""

    def __init__(self, **lists: Any) -> None:
        self._lists = {"deployments": [], "statefulsets": [], "daemonsets": [], **lists}
        self.asked: list[str] = []

    def list(self, path: str, **query: Any) -> dict[str, Any]:
        kind = path.rpartition("/")[2]
        self.asked.append(kind)
        found = self._lists.get(kind, NotFound(Reason.WORKLOAD_UNKNOWN, "there is none"))
        if isinstance(found, Exception):
            raise found
        wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        return {"items": [one for one in found if wanted.items() <= one["metadata"].get("labels", {}).items()]}


def canary(*pods: dict[str, Any], now: dict[str, Any] = CANARY, **more: Any) -> Live:
    return deployment(now, [replicaset(2, now)], pods, **more)


def found(cluster: Lists, entry: SameAs | ScaleToZero, seen: Live, pin: Pin = Pin.AUTO) -> Found:
    offers = Offers(cluster, WEB, Params(to=(entry,), pin=pin))  # type: ignore[arg-type]
    return next(iter(offers.of(seen).values()))


def stable(made: dict[str, Any], *pods: dict[str, Any], name: str = "web-stable", **more: Any) -> dict[str, Any]:
    """Return the lists of a cluster with one stable workload that is rolled out."""
    more = {"status": ALL_WELL, "annotations": {"deployment.kubernetes.io/revision": "9"}, **more}
    there = workload(made, uid="s1", name=name, **more)
    history = replicaset(9, made, made_hash="s9", owner="s1")
    return {"deployments": [there], "replicasets": [labelled(history)], "pods": [*pods]}


def labelled(obj: dict[str, Any]) -> dict[str, Any]:
    obj["metadata"].setdefault("labels", {})["app"] = "web"
    return obj


def stable_pods(*, ready: bool = True, digest: str = DIGEST) -> list[dict[str, Any]]:
    return [pod("s-a", "s9"), pod("s-b", "s9", ready=ready, digest=digest)]


V1 = template("v1", labels={"track": "stable"})


def test_the_images_of_stable_by_their_digest() -> None:
    """Its name is stable's release; labels and everything else stay the canary's own."""
    goal = found(Lists(**stable(V1, *stable_pods())), STABLE, canary())
    assert isinstance(goal, Goal)
    assert goal.release == "v1+s9"
    assert goal.template is not None
    assert goal.template["spec"]["containers"][0]["image"] == f"shop/app@{DIGEST}"
    assert goal.template["metadata"]["labels"]["track"] == "canary"
    assert goal.digests == {"app": DIGEST}


BARE = [{"name": "app", "ready": True, "imageID": DIGEST}]


@pytest.mark.parametrize(
    ("lists", "seen", "reason"),
    [
        (stable(V1, *stable_pods(ready=False)), canary(), Reason.STABLE_NOT_READY),
        (stable(V1), canary(), Reason.STABLE_NOT_READY),
        (stable(V1, *stable_pods(), status={"replicas": 3}), canary(), Reason.STABLE_NOT_READY),
        (
            stable(V1, *stable_pods(), status={**ALL_WELL, "observedGeneration": 2}),
            canary(),
            Reason.STABLE_NOT_READY,
        ),
        (stable(V1, *stable_pods(digest=OTHER_DIGEST)), canary(), Reason.DIGEST_UNKNOWN),
        (stable(V1, pod("s-a", "s9", containerStatuses=BARE)), canary(), Reason.DIGEST_UNKNOWN),
        (stable(V1, *stable_pods()), canary(pod("c", "h2")), Reason.SAME_IMAGES),
        (
            stable(V1, *stable_pods()),
            canary(now=template("v1", labels={"track": "canary"})),
            Reason.SAME_IMAGES,
        ),
        (
            stable(V1, *stable_pods()),
            canary(now=template(app="docker.io/shop/app:v1")),
            Reason.SAME_IMAGES,
        ),
        (stable(V1, *stable_pods()), canary(now=template(app="a", extra="b")), Reason.RELEASE_INCOMPLETE),
        (stable(template("v1"), *stable_pods()), canary(), Reason.STABLE_NOT_READY),
        ({"deployments": []}, canary(), Reason.STABLE_NOT_READY),
    ],
    ids=[
        *("not-ready", "no-pods", "rolling", "not-seen", "two-digests", "no-digest", "same-digest", "same-name"),
        *("same-spelled-otherwise", "no-counterpart", "other-labels", "none"),
    ],
)
def test_why_nothing_is_copied(lists: dict[str, Any], seen: Live, reason: Reason) -> None:
    """Each by its reason; a guess is never made."""
    drop = found(Lists(**lists), STABLE, seen)
    assert isinstance(drop, tuple), drop
    assert drop[0] is reason


def test_a_tag_that_moved_between_the_two_is_a_difference() -> None:
    """Canary pulled other bits under the same tag: stable's digest is worth going to."""
    seen = canary(pod("c", "h2", digest=OTHER_DIGEST), now=template("v1", labels={"track": "canary"}))
    assert isinstance(found(Lists(**stable(V1, *stable_pods())), STABLE, seen), Goal)


def test_stable_has_to_be_one_workload() -> None:
    """Of the same service, and another than the canary itself; its own kind comes first."""
    lists = stable(V1, *stable_pods())
    twice = {**lists, "deployments": [*lists["deployments"], workload(V1, uid="s2", name="web-too")]}
    assert found(Lists(**twice), STABLE, canary())[0] is Reason.INSTANCE_AMBIGUOUS  # type: ignore[index]
    other = template("v1", labels={"track": "stable", "app": "billing"})
    elsewhere = {**lists, "deployments": [workload(other, uid="s3"), *lists["deployments"]]}
    assert isinstance(found(Lists(**elsewhere), STABLE, canary()), Goal)
    itself = canary(now=template("v2", labels={"track": "stable"}))
    alone = {"deployments": [itself.workload]}
    assert found(Lists(**alone), STABLE, itself)[0] is Reason.STABLE_NOT_READY  # type: ignore[index]
    cluster = Lists(**lists)
    found(cluster, STABLE, canary())
    assert "statefulsets" not in cluster.asked


def test_pods_without_a_service_have_no_stable() -> None:
    """Nothing says what they belong to."""
    nobodys = template("v2", labels={"app": ""})
    drop = found(Lists(**stable(V1, *stable_pods())), STABLE, canary(now=nobodys))
    assert drop[0] is Reason.SERVICE_UNKNOWN  # type: ignore[index]


def service(**selector: str) -> dict[str, Any]:
    return {"metadata": {"name": "shop"}, "spec": {"selector": selector}}


def other_pod(*, ready: bool = True) -> dict[str, Any]:
    return pod("other", "s9", ready=ready)


def scaled(name: str, kind: str | None = None) -> dict[str, Any]:
    target = {"name": name, **({"kind": kind} if kind else {})}
    return {"metadata": {"name": "so"}, "spec": {"scaleTargetRef": target}}


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"services": []}, None),
        ({"services": [service(app="billing")], "pods": []}, None),
        ({"services": [service()], "pods": []}, None),
        ({"services": [service(app="web")], "pods": [other_pod()]}, None),
        ({"services": [service(app="web")], "pods": [other_pod(ready=False)]}, Reason.SERVICE_WOULD_BE_EMPTY),
        ({"services": [service(app="web")], "pods": []}, Reason.SERVICE_WOULD_BE_EMPTY),
        ({"services": [service(app="web")], "pods": [pod("own", "h2")]}, Reason.SERVICE_WOULD_BE_EMPTY),
        ({"services": [], "scaledobjects": [scaled("web")]}, Reason.SCALED_BY_OTHERS),
        ({"services": [], "scaledobjects": [scaled("web", "Deployment")]}, Reason.SCALED_BY_OTHERS),
        ({"services": [], "scaledobjects": [scaled("web", "StatefulSet"), scaled("api")]}, None),
        ({"services": [], "scaledobjects": Forbidden(Reason.FORBIDDEN, "may not")}, Reason.FORBIDDEN),
        ({"services": Forbidden(Reason.FORBIDDEN, "may not")}, Reason.FORBIDDEN),
    ],
)
def test_when_a_workload_may_be_scaled_to_zero(lists: dict[str, Any], reason: Reason | None) -> None:
    """When nobody is left without an answer, and nobody brings the pods back; what may not be seen is no yes."""
    goal = found(Lists(**lists), ScaleToZero(), canary(pod("own", "h2")))
    assert (None if isinstance(goal, Goal) else goal[0]) is reason


def test_what_has_no_count_is_not_scaled() -> None:
    """A DaemonSet; and what has no pods already."""
    daemon = live(WorkloadKind.DAEMONSET, workload(CANARY), [], [])
    assert found(Lists(), ScaleToZero(), daemon)[0] is Reason.NO_CANDIDATE  # type: ignore[index]
    assert found(Lists(), ScaleToZero(), canary(replicas=0))[0] is Reason.RELEASE_CURRENT  # type: ignore[index]
