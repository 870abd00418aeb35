"""What a workload that is rolled out runs is told by digest, and only where all its ready pods agree."""

from __future__ import annotations

from typing import Any

import pytest

from rules.instances import WorkloadKind
from workers.kubernetes.live import live
from workers.kubernetes.recording import Seen, says_rolled_out, seen_running

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
LABELS = {"app": "web", "pod-template-hash": "abc"}


def deployment(image: str = "registry:5000/shop/web:v1", **status: int) -> dict[str, Any]:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": 3, **status}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": image}]}}
    return {
        "metadata": {
            "name": "web",
            "uid": "u1",
            "generation": 3,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        "status": status,
    }


def replica_set(workload: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web-abc",
            "uid": "r1",
            "labels": LABELS,
            "annotations": {"deployment.kubernetes.io/revision": "1"},
            "ownerReferences": [{"uid": "u1", "controller": True}],
        },
        "spec": {"template": workload["spec"]["template"]},
    }


def pod(**ids: str) -> dict[str, Any]:
    statuses = [
        {"name": name, "imageID": image_id, "ready": True} for name, image_id in ids.items() if name != "ready"
    ]
    return {
        "metadata": {
            "name": "web-abc-x",
            "labels": LABELS,
            "ownerReferences": [{"uid": "r1", "controller": True}],
        },
        "status": {
            "containerStatuses": statuses,
            "conditions": [{"type": "Ready", "status": ids.get("ready", "True")}],
        },
    }


def seen(*pods: dict[str, Any]) -> Seen | None:
    workload = deployment()
    return seen_running(live(WorkloadKind.DEPLOYMENT, workload, [replica_set(workload)], pods))


def test_digests_are_told_by_revision_and_container() -> None:
    """With the version that people know it by."""
    found = seen(
        pod(app=f"registry:5000/shop/web@{ONE}"), pod(app=f"docker-pullable://registry:5000/shop/web@{ONE}")
    )
    assert found == Seen("abc", {"app": ONE}, "v1")


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        (
            [pod(app=f"registry:5000/shop/web@{ONE}"), pod(app=f"registry:5000/shop/web@{TWO}")],
            "the tag moved between the starts of two pods",
        ),
        ([pod(app=ONE)], "a bare digest is that of a configuration, and nobody can pull it"),
        ([pod(app=f"docker://{ONE}")], "so is this one"),
        ([pod(app="")], "not known yet"),
        ([pod(app=f"registry:5000/staging/web@{ONE}")], "what another repository calls it may not be there"),
        ([], "no pods, as after scaling to zero"),
        ([pod(app=f"registry:5000/shop/web@{ONE}", ready="False")], "a pod that is not ready proves nothing"),
    ],
)
def test_what_is_not_sure_is_not_noted(pods: list[dict[str, Any]], why: str) -> None:
    """No digest is better than a wrong one."""
    assert seen(*pods) is None, why


def test_a_pod_on_its_way_in_changes_nothing() -> None:
    """Ready pods alone are asked."""
    assert seen(
        pod(app=f"registry:5000/shop/web@{ONE}"), pod(app=f"registry:5000/shop/web@{TWO}", ready="False")
    ) == Seen("abc", {"app": ONE}, "v1")


def test_containers_that_something_else_added_are_left_out() -> None:
    """A sidecar that a webhook injects is no part of the release."""
    assert seen(pod(app=f"registry:5000/shop/web@{ONE}", proxy=f"registry:5000/proxy@{TWO}")) == Seen(
        "abc", {"app": ONE}, "v1"
    )


@pytest.mark.parametrize(
    ("status", "there"),
    [
        ({}, True),
        ({"observedGeneration": 2}, False),
        ({"updatedReplicas": 1}, False),
        ({"availableReplicas": 1}, False),
        ({"replicas": 3}, False),
    ],
)
def test_what_is_not_rolled_out_costs_no_call(status: dict[str, int], there: bool) -> None:
    """Its own status says so, and nothing else is asked."""
    assert says_rolled_out(WorkloadKind.DEPLOYMENT, deployment(**status)) is there


@pytest.mark.parametrize(("ready", "there"), [(2, True), (1, False), (0, False)])
def test_a_statefulset_is_asked_for_once_its_pods_are_ready(ready: int, there: bool) -> None:
    """Which of them are of the newest revision is seen then."""
    workload = deployment(readyReplicas=ready)
    assert says_rolled_out(WorkloadKind.STATEFULSET, workload) is there
