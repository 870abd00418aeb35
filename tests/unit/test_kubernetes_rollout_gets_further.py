"""When a rollout last got further, and whether what it waits for fails: from what its pods say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from testbed.kube_facts import deployment, pod, replicaset, template

from rules.decisions import Reason
from workers.kubernetes import progress, rollout
from workers.kubernetes.live import Live

V1, V2 = template("v1"), template("v2")
WITHIN_S = 60


def at(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, since: int, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": at(since), **more}


def new(made: int, *conditions: dict[str, str], name: str = "web-1", **more: Any) -> dict[str, Any]:
    """Return a pod of the revision that is gone back to."""
    return pod(name, "h1", metadata={"creationTimestamp": at(made)}, conditions=list(conditions), **more)


def old(**metadata: Any) -> dict[str, Any]:
    return pod("web-0", "h2", metadata={"creationTimestamp": at(900), **metadata})


def web(*pods: dict[str, Any], **spec: Any) -> Live:
    return deployment(V1, [replicaset(3, V1, made_hash="h1"), replicaset(2, V2)], pods, **spec)


@pytest.mark.parametrize(
    ("pods", "moved_s"),
    [
        ([], 0),
        ([old()], 0),
        ([new(100)], 100),
        ([new(100, condition("PodScheduled", 130))], 130),
        ([new(100, condition("PodScheduled", 130, "False"))], 100),
        ([new(100, condition("PodScheduled", 101), condition("Ready", 150))], 150),
        ([new(100), new(110, condition("Ready", 150), name="web-2")], 150),
        ([new(100, condition("Ready", 150, "False"))], 100),
        ([new(100, condition("Ready", 161))], 100),
        ([new(100, condition("PodScheduled", 130), condition("Ready", 161))], 161),
        ([new(100), old(deletionTimestamp=at(230), deletionGracePeriodSeconds=30)], 200),
    ],
    ids=[
        "nothing",
        "the-old-ones-stand",
        "made",
        "placed",
        "not-placed",
        "ready",
        "any-of-them",
        "not-ready",
        "ready-once-more",
        "ready-after-a-long-wait-for-a-place",
        "an-old-one-told-to-go",
    ],
)
def test_when_it_last_got_further(pods: list[dict[str, Any]], moved_s: int) -> None:
    """A pod that comes and goes gets ready again and again, and gets no further."""
    assert progress.moved_at(web(*pods), WITHIN_S) == moved_s


def test_what_is_to_stay_ready_for_a_while_gets_further_until_then() -> None:
    """With `minReadySeconds` the next pod is replaced only after them, however many they are."""
    assert progress.moved_at(web(new(100, condition("Ready", 110)), minReadySeconds=300), WITHIN_S) == 410


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_none(text: str | None) -> None:
    """It moves nothing."""
    assert progress.seconds_of(text) is None
    assert progress.moved_at(web(pod("web-1", "h1", metadata={"creationTimestamp": text})), WITHIN_S) == 0


def container(*, ready: bool = False, **state: Any) -> list[dict[str, Any]]:
    return [{"name": "app", "ready": ready, "restartCount": 0, "state": state}]


UNREADY = condition("Ready", 120, "False")
NO_PLACE = condition("PodScheduled", 100, "False", reason="Unschedulable")


@pytest.mark.parametrize(
    ("pods", "fails"),
    [
        ([], False),
        ([new(100, UNREADY, containerStatuses=container(waiting={"reason": "CrashLoopBackOff"}))], True),
        ([new(100, UNREADY, containerStatuses=container(waiting={"reason": "ImagePullBackOff"}))], True),
        ([new(100, UNREADY, containerStatuses=container(running={}))], True),
        ([new(100, NO_PLACE, containerStatuses=[])], False),
        ([new(100, UNREADY, containerStatuses=container(waiting={"reason": "ContainerCreating"}))], False),
        ([new(100, UNREADY, containerStatuses=container(ready=True, running={}))], False),
        ([pod("web-0", "h2", ready=False, containerStatuses=container(running={}))], False),
    ],
    ids=[
        "none-yet",
        "crashes",
        "no-image",
        "not-ready",
        "no-place",
        "about-to-start",
        "node-away",
        "the-old-ones",
    ],
)
def test_whether_it_fails_or_only_waits(pods: list[dict[str, Any]], fails: bool) -> None:
    """Only what the release itself does wrong speaks against it."""
    assert progress.fails(web(*pods)) is fails
    missed = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": "10:00"}
    verdict = rollout.judge(web(*pods, status={"conditions": [missed]}))
    assert isinstance(verdict, rollout.Failed)
    assert verdict.reason is (Reason.PROGRESS_DEADLINE if fails else Reason.UNKNOWN_STATE)
