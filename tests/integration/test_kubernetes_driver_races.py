"""Others act on the workload too: every write is a compare-and-set, and what is not ours is left alone."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.driven import Driven, params
from testbed.kube_api import JSON_PATCH, path_of
from testbed.wait import until
from testbed.workloads import deployment

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import Plan, Step, StepKind, StepState
from rules.rule import Pin, Restore


def web(cluster: Cluster, namespace: str, **over: object) -> Driven:
    return Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web", **over)  # type: ignore[arg-type]


def bad_web(cluster: Cluster, namespace: str) -> None:
    """Roll v1 out and a bad release over it; nothing more will move by itself once its pod is there."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))
    until(lambda: len(cluster.pods(namespace)) > 2, within_s=20, what="the bad release has a pod")


def patch_step(plan: Plan) -> Step:
    return next(step for step in plan.steps if step.kind is StepKind.PATCH)


def annotate(cluster: Cluster, namespace: str, **annotations: str) -> None:
    named = {f"rollback-controller.io/{name}": value for name, value in annotations.items()}
    cluster.patch("Deployment", namespace, "web", {"metadata": {"annotations": named}})


def test_somebody_scales_between_read_and_write(cluster: Cluster, namespace: str) -> None:
    """Nobody decided about the release: the change is made all the same, over the new number of pods."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    cluster.patch("Deployment", namespace, "web", {"spec": {"replicas": 3}})
    driven.carry_out(plan)
    found = cluster.get("Deployment", namespace, "web")
    assert found["spec"]["replicas"] == 3
    assert found["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1")


def test_the_workload_never_stands_still(cluster: Cluster, namespace: str) -> None:
    """A storm of changes to something else costs tries, and no more than that."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan, stop = driven.planned(), threading.Event()

    def storm() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            cluster.patch("Deployment", namespace, "web", {"metadata": {"labels": {"storm": str(number)}}})

    raging = threading.Thread(target=storm)
    raging.start()
    try:
        driven.does(patch_step(plan))
    finally:
        stop.set()
        raging.join()
    assert driven.driver.inspect(patch_step(plan), driven.driver.before(patch_step(plan)), 1000) is StepState.DONE


def test_somebody_deploys_between_read_and_write(cluster: Cluster, namespace: str) -> None:
    """Their release stays; ours is not written over it."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    with pytest.raises(Permanent, match="changed the pod template") as refused:
        driven.does(patch_step(plan))
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
    found = cluster.get("Deployment", namespace, "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v2")


def test_somebody_pauses_between_read_and_write(cluster: Cluster, namespace: str) -> None:
    """A pause is a person's word."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    cluster.patch("Deployment", namespace, "web", {"spec": {"paused": True}})
    with pytest.raises(Permanent) as refused:
        driven.does(patch_step(plan))
    assert refused.value.reason is Reason.PAUSED


def test_the_workload_is_deleted_and_made_anew(cluster: Cluster, namespace: str) -> None:
    """It has the same name and is another: nothing is written."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    cluster.kubectl("delete", "deployment/web", "-n", namespace, "--wait")
    cluster.apply(deployment("web", cluster.image("bad")), namespace)
    with pytest.raises(Permanent, match="made anew") as refused:
        driven.does(patch_step(plan))
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
    assert driven.observed().arrival.partition("/")[0] != plan.arrival.partition("/")[0]


def test_a_workload_that_is_not_there(cluster: Cluster, namespace: str) -> None:
    """It says so, and nothing is asked again."""
    with pytest.raises(Permanent, match="there is none") as refused:
        web(cluster, namespace).observed()
    assert refused.value.reason is Reason.WORKLOAD_UNKNOWN


@pytest.mark.parametrize(
    ("fence", "rollback", "refused"),
    [(999, "rother", False), (1000, "rother", True), (1001, "rother", True), (1000, "rtest00001", False)],
)
def test_a_newer_fence_is_respected(
    cluster: Cluster, namespace: str, fence: int, rollback: str, refused: bool
) -> None:
    """Higher is another's; equal is another's unless it is our own; lower was before us."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.roll(deployment("web", cluster.image("v2")), namespace)
    annotate(cluster, namespace, fence=str(fence), rollback=rollback)
    driven = web(cluster, namespace)
    plan = driven.planned()
    assert driven.observed().fence == fence
    if not refused:
        driven.does(patch_step(plan))
        return
    with pytest.raises(Permanent) as stale:
        driven.does(patch_step(plan))
    assert stale.value.reason is Reason.STALE_FENCE


def test_another_rollback_writes_its_fence_between_read_and_write(cluster: Cluster, namespace: str) -> None:
    """The workload itself refuses the stale holder."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    annotate(cluster, namespace, fence="2000", rollback="rother")
    with pytest.raises(Permanent) as stale:
        driven.does(patch_step(plan))
    assert stale.value.reason is Reason.STALE_FENCE


def test_a_takeover_sees_what_became_of_the_change(cluster: Cluster, namespace: str) -> None:
    """Not done, then done by whoever died, then neither: somebody else was there."""
    bad_web(cluster, namespace)
    first = web(cluster, namespace)
    plan = Plan.from_json(first.planned().to_json())
    step = patch_step(plan)
    before = json.loads(json.dumps(dict(first.driver.before(step))))
    second = web(cluster, namespace, fence=1001)
    assert second.driver.inspect(step, before, 1001) is StepState.NOT_DONE
    first.does(step)
    assert second.driver.inspect(step, before, 1001) is StepState.DONE
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    assert second.driver.inspect(step, before, 1001) is StepState.NEITHER


def test_a_change_whose_answer_was_lost_is_not_made_twice(cluster: Cluster, namespace: str) -> None:
    """The second try meets a conflict, sees its own work, and is content."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    step = patch_step(driven.planned())
    driven.does(step)
    generation = cluster.get("Deployment", namespace, "web")["metadata"]["generation"]
    driven.does(step)
    assert cluster.get("Deployment", namespace, "web")["metadata"]["generation"] == generation


def touched(driven: Driven) -> Driven:
    """Let the template arrive changed, as a mutating admission webhook of somebody else's leaves it."""
    patch = driven.api.patch

    def on_the_way(path: str, body: list[dict[str, Any]], *, field_manager: str, dry_run: bool = False) -> Any:
        body = json.loads(json.dumps(body))
        for operation in body:
            if operation["path"] == "/spec/template":
                operation["value"]["metadata"]["annotations"] = {"policy/checked": "yes"}
        return patch(path, body, field_manager=field_manager, dry_run=dry_run)

    driven.api.patch = on_the_way  # type: ignore[method-assign]
    return driven


def test_admission_touches_the_template(cluster: Cluster, namespace: str) -> None:
    """What is watched, taken over and named afterwards is what is stored, and not what was sent."""
    bad_web(cluster, namespace)
    first = touched(web(cluster, namespace))
    plan = Plan.from_json(first.planned().to_json())
    step = patch_step(plan)
    before = dict(first.driver.before(step))
    first.driver.preflight(plan)
    first.does(step)
    second = touched(web(cluster, namespace, fence=1001))
    assert second.driver.inspect(step, before, 1001) is StepState.DONE
    second.carry_out(plan)
    assert second.observed().running == plan.to_release
    way_back = second.driver.plan_way_back(plan, second.observed())
    second.carry_out(way_back)
    template = cluster.get("Deployment", namespace, "web")["spec"]["template"]
    assert template["spec"]["containers"][0]["image"].endswith(":bad")
    assert template["metadata"]["annotations"] == {"policy/checked": "yes"}


def test_the_patch_is_tried_once_before_it_is_made(cluster: Cluster, namespace: str) -> None:
    """Planning asks already what would be stored."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    driven.driver.preflight(driven.planned())
    assert len([call for call in driven.api.calls if call.startswith("PATCH")]) == 1


def test_admission_that_puts_the_bad_release_back(cluster: Cluster, namespace: str) -> None:
    """Nothing would change, so nothing is begun."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    bad, patch = cluster.image("bad"), driven.api.patch

    def on_the_way(path: str, body: list[dict[str, Any]], **how: Any) -> Any:
        return patch(path, json.loads(json.dumps(body).replace(cluster.image("v1"), bad)), **how)

    driven.api.patch = on_the_way  # type: ignore[method-assign]
    with pytest.raises(Permanent, match="admission webhook") as refused:
        driven.planned()
    assert refused.value.reason is Reason.TARGET_REFUSED


def test_somebody_deploys_while_the_rollout_is_watched(cluster: Cluster, namespace: str) -> None:
    """What is watched is our release; another one is none of our business."""
    bad_web(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.planned()
    driven.does(patch_step(plan))
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    with pytest.raises(Permanent) as changed:
        driven.does(driven.step(plan, StepKind.ROLLOUT))
    assert changed.value.reason is Reason.CHANGED_MEANWHILE


def test_the_missed_deadline_of_the_bad_release_is_not_ours(cluster: Cluster, namespace: str) -> None:
    """`ProgressDeadlineExceeded` still stands there when our change is seen; only one of our own would count."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1, progressDeadlineSeconds=2), namespace)
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))

    def missed() -> bool:
        conditions = cluster.get("Deployment", namespace, "web")["status"].get("conditions", [])
        return any(c.get("reason") == "ProgressDeadlineExceeded" for c in conditions)

    until(missed, within_s=30, what="the bad release missed its progress deadline")
    web(cluster, namespace).goes_back()


def test_a_progress_deadline_of_our_own_rollout_is_a_failure(cluster: Cluster, namespace: str) -> None:
    """The release gone back to does not come up: its controller says so, or else our own time is over.

    A controller under load has been seen to miss a deadline of its own, so either reason is right.
    """
    cluster.apply(deployment("web", cluster.image("bad"), progressDeadlineSeconds=8), namespace)
    newer = deployment("web", cluster.image("v1"), pod_labels={"config": "new"}, progressDeadlineSeconds=8)
    cluster.roll(newer, namespace)
    with pytest.raises(Permanent, match="readiness probe does not pass") as failed:
        web(cluster, namespace, params=params(restore=Restore.IMAGES, pin=Pin.NEVER)).goes_back()
    assert failed.value.reason in (Reason.PROGRESS_DEADLINE, Reason.NOT_HEALTHY)


def test_a_conflict_is_what_a_stale_version_is_answered_with(cluster: Cluster, namespace: str) -> None:
    """409 for a `replace` of resourceVersion; 422, as for an invalid template, for a `test` of it."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    answers = []
    for op in ("replace", "test"):
        body = [{"op": op, "path": "/metadata/resourceVersion", "value": "1"}]
        try:
            cluster.api.call("PATCH", path_of("Deployment", namespace, "web"), body, sends=JSON_PATCH)
        except AssertionError as refused:
            answers.append(str(refused).partition(" ")[0])
    assert answers == ["409", "422"]
