"""Is a rollout done? From the workload's status and its pods, and in their own words where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.kube_facts import controller_revision, deployment, pod, replicaset, template, workload

from rules.decisions import Reason
from rules.instances import WorkloadKind
from workers.kubernetes import deleting, rollout
from workers.kubernetes.live import Live, live
from workers.kubernetes.pods import why_not_ready

V1, V2 = template("v1"), template("v2")
LABEL = "controller-revision-hash"


def web(pods: list[dict[str, Any]] | None = None, **status: Any) -> Live:
    history = [replicaset(3, V1, made_hash="h1"), replicaset(2, V2)]
    return deployment(V1, history, pods or [], status=status)


def whole(count: int = 2) -> dict[str, int]:
    return {"replicas": count, "updatedReplicas": count, "availableReplicas": count}


def missed(at: str) -> list[dict[str, str]]:
    return [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": at}]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({**whole(), "observedGeneration": 2}, "its controller has not seen the change yet"),
        ({}, "0 of 2 pods made anew"),
        ({**whole(), "updatedReplicas": 1}, "1 of 2 pods made anew"),
        ({**whole(), "replicas": 3}, "1 pod of other revisions still to go"),
        ({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}, "1 pod too many still to go"),
        ({**whole(), "availableReplicas": 1}, "1 of 2 pods available"),
        (whole(), None),
    ],
)
def test_a_deployment_is_done_when_its_numbers_are(status: dict[str, Any], why: str | None) -> None:
    """In the order in which they come true; a status of before the change says nothing."""
    verdict = rollout.judge(web(**status))
    assert verdict == (rollout.Done() if why is None else rollout.Waiting(why))


def test_a_missed_progress_deadline_is_a_failure_in_the_pods_own_words() -> None:
    """Unless it is the one that was missed before: the controller leaves that standing until something moves."""
    waiting = {"name": "app", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}
    pods = [pod("web-1", "h1", ready=False, containerStatuses=[waiting])]
    seen = web(pods, conditions=missed("10:00"))
    verdict = rollout.judge(seen)
    assert isinstance(verdict, rollout.Failed)
    assert verdict.reason is Reason.PROGRESS_DEADLINE
    assert "pod web-1: container app is in ImagePullBackOff (no such tag)" in verdict.why
    assert isinstance(rollout.judge(seen, old_deadline="10:00"), rollout.Waiting)
    assert isinstance(rollout.judge(web(conditions=missed("10:00"), observedGeneration=2)), rollout.Waiting)


@pytest.mark.parametrize(("left", "done"), [(2, False), (0, True)])
def test_no_pods_at_all_is_done_once_they_are_gone(left: int, done: bool) -> None:
    """Also where nothing was asked for in the first place."""
    found = deployment(V1, [replicaset(1, V1)], replicas=0, status={"replicas": left})
    assert isinstance(rollout.judge(found), rollout.Done) is done


def db(
    pods: dict[str, tuple[str, bool]],
    *,
    replicas: int = 3,
    strategy: dict[str, Any] | None = None,
    **spec: Any,
) -> Live:
    """Return a StatefulSet that was brought back to revision aa; each pod with its revision and readiness."""
    made = workload(
        V1,
        name="db",
        replicas=replicas,
        updateStrategy=strategy or {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        status={"updateRevision": "db-aa"},
        **spec,
    )
    history = [controller_revision(3, V1, name="db-aa"), controller_revision(2, V2, name="db-bb")]
    history += [controller_revision(1, template(f"v-{name}"), name=f"db-{name}") for name in ("cc", "dd")]
    found = [pod(name, f"db-{of}", ready=ready, owner="w1", label=LABEL) for name, (of, ready) in pods.items()]
    return live(WorkloadKind.STATEFULSET, made, history, found)


ON_DELETE = {"type": "OnDelete"}
GOING = deleting.Going("db-bb", frozenset({"db-dd"}))


def partition(number: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


@pytest.mark.parametrize(
    ("pods", "strategy", "done"),
    [
        ({"db-0": ("aa", True), "db-1": ("aa", True), "db-2": ("aa", True)}, None, True),
        ({"db-0": ("aa", True), "db-1": ("aa", True), "db-2": ("aa", False)}, None, False),
        ({"db-0": ("aa", True), "db-1": ("aa", True)}, None, False),
        ({"db-0": ("aa", True), "db-1": ("bb", True), "db-2": ("aa", True)}, None, False),
        ({"db-0": ("bb", True), "db-1": ("bb", True), "db-2": ("aa", True)}, partition(2), True),
        ({"db-0": ("aa", True), "db-1": ("aa", True), "db-2": ("bb", False)}, partition(2), False),
        ({"db-0": ("aa", True), "db-1": ("bb", True), "db-2": ("bb", True)}, ON_DELETE, True),
        ({"db-0": ("aa", True), "db-1": ("bb", True)}, ON_DELETE, False),
    ],
)
def test_a_statefulset_is_done_when_its_pods_are(
    pods: dict[str, tuple[str, bool]], strategy: dict[str, Any] | None, done: bool
) -> None:
    """From its partition on: the count of updated pods holds those before it too. `OnDelete` waits for none."""
    assert isinstance(rollout.judge(db(pods, strategy=strategy)), rollout.Done) is done


@pytest.mark.parametrize(
    ("status", "strategy", "done"),
    [
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}, None, True),
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2}, None, False),
        ({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 1}, None, False),
        ({"desiredNumberScheduled": 0}, None, True),
        ({"desiredNumberScheduled": 1}, ON_DELETE, True),
        ({"desiredNumberScheduled": 2}, ON_DELETE, False),
    ],
)
def test_a_daemonset_is_done_when_each_node_has_its_pod(
    status: dict[str, int], strategy: dict[str, Any] | None, done: bool
) -> None:
    """By its own numbers; with `OnDelete` every pod there is has to be ready."""
    made = workload(V1, status=status, **({"updateStrategy": strategy} if strategy else {}))
    del made["spec"]["replicas"]
    history = [controller_revision(3, V1, name="web-aa", **{LABEL: "aa"})]
    found = live(WorkloadKind.DAEMONSET, made, history, [pod("web-x", "aa", owner="w1", label=LABEL)])
    assert isinstance(rollout.judge(found), rollout.Done) is done


@pytest.mark.parametrize(
    ("pods", "strategy", "how", "deleted"),
    [
        ({"db-0": ("bb", True), "db-1": ("bb", True), "db-2": ("bb", False)}, None, "stuck", ["db-2"]),
        ({"db-0": ("bb", False), "db-1": ("aa", True), "db-2": ("bb", False)}, None, "stuck", ["db-0", "db-2"]),
        ({"db-0": ("bb", True), "db-1": ("aa", False), "db-2": ("cc", False)}, None, "stuck", []),
        ({"db-0": ("bb", True), "db-1": ("bb", True), "db-2": ("bb", True)}, ON_DELETE, "on-delete", ["db-2"]),
        ({"db-0": ("bb", True), "db-1": ("bb", False), "db-2": ("bb", True)}, ON_DELETE, "on-delete", ["db-1"]),
        ({"db-0": ("bb", True), "db-1": ("bb", True), "db-2": ("aa", False)}, ON_DELETE, "on-delete", []),
        ({"db-0": ("bb", True), "db-1": ("bb", True)}, ON_DELETE, "on-delete", []),
        ({"db-0": ("bb", True), "db-1": ("bb", False), "db-2": ("aa", True)}, None, "broken", ["db-1"]),
        ({"db-0": ("aa", True), "db-1": ("dd", True), "db-2": ("dd", False)}, None, "stuck", ["db-2"]),
        ({"db-0": ("bb", True), "db-1": ("dd", True), "db-2": ("dd", False)}, ON_DELETE, "on-delete", ["db-2"]),
        ({"db-0": ("bb", True), "db-1": ("dd", True), "db-2": ("aa", True)}, ON_DELETE, "on-delete", ["db-0"]),
        ({"db-0": ("bb", True), "db-1": ("bb", False), "db-2": ("aa", True)}, partition(1), "stuck", ["db-1"]),
        ({"db-0": ("bb", True), "db-1": ("bb", False), "db-2": ("aa", True)}, partition(2), "stuck", []),
        ({"db-0": ("bb", True), "db-1": ("bb", False), "db-2": ("aa", True)}, partition(2), "broken", []),
        ({"db-0": ("bb", False), "db-1": ("bb", False), "db-2": ("aa", True)}, partition(1), "stuck", []),
    ],
)
def test_which_pods_are_deleted(
    pods: dict[str, tuple[str, bool]], strategy: dict[str, Any] | None, how: str, deleted: list[str]
) -> None:
    """What is stuck at once, with `OnDelete` one while all others serve.

    Only those of the bad revision, and what is not ready of one (here dd) that was stuck before it; none before
    the partition.
    """
    found = deleting.to_delete(db(pods, strategy=strategy), GOING, how)
    assert [one["metadata"]["name"] for one in found] == deleted


def test_nothing_is_left_to_replace_before_the_partition() -> None:
    """What the partition keeps back is not waited for."""
    pods = {"db-0": ("bb", True), "db-1": ("bb", True), "db-2": ("aa", True)}
    assert deleting.left_to_replace(db(pods, strategy=partition(2)), GOING, "stuck") == []
    assert len(deleting.left_to_replace(db(pods), GOING, "stuck")) == 2


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "app", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
CRASHED = {**waits("CrashLoopBackOff"), "restartCount": 4, "lastState": {"terminated": {"exitCode": 3}}}
PREPARES = {"name": "migrate", "ready": False, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"conditions": [UNSCHEDULABLE]}, "Unschedulable (0/3 nodes)"),
        ({"containerStatuses": [waits("ErrImagePull", "no\n such  tag")]}, "app is in ErrImagePull (no such tag)"),
        ({"containerStatuses": [waits("CreateContainerConfigError")]}, "app is in CreateContainerConfigError"),
        ({"containerStatuses": [CRASHED]}, "app is in CrashLoopBackOff (it exited with 3)"),
        ({}, "container app runs, but its readiness probe does not pass"),
        ({"initContainerStatuses": [PREPARES]}, "init container migrate has not ended"),
        ({"containerStatuses": [waits("ContainerCreating")], "phase": "Pending"}, "Pending"),
        ({"containerStatuses": [], "conditions": []}, "Running"),
    ],
)
def test_pods_say_in_their_own_words_why_they_are_not_ready(status: dict[str, Any], why: str) -> None:
    """The first thing that stands in the way, on one line."""
    assert why in why_not_ready([pod("web-1", "h1", ready=False, **status)])


def test_each_reason_is_said_once() -> None:
    """However many pods have it; ready ones and those that go say nothing."""
    going = pod("web-9", "h1", ready=False)
    going["metadata"]["deletionTimestamp"] = "now"
    pods = [pod(f"web-{n}", "h1", ready=False) for n in range(3)] + [pod("web-8", "h1"), going]
    assert (
        why_not_ready(pods) == "pods web-0 and 2 more: container app runs, but its readiness probe does not pass"
    )
