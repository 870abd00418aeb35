"""The change of a workload is a compare-and-set: what is sent, when it may be sent, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.kube_facts import WEB, deployment, replicaset, template, workload

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import Plan, Step, StepKind, StepState
from workers.kubernetes import writing
from workers.kubernetes.live import Live
from workers.kubernetes.patches import Change, change_patch, escaped, strip_patch
from workers.kubernetes.plan import Goal, Params, make_plan, make_way_back
from workers.kubernetes.templates import sha_of

V1, V2, V3 = template("v1"), template("v2"), template("v3")
OURS = "rollback-controller.io/"
GOAL = Goal("v1+h1", V1, digests={"app": "sha256:1"})


def bad(now: dict[str, Any] = V2, **more: Any) -> Live:
    return deployment(now, [replicaset(1, V1), replicaset(2, V2)], revision=2, **more)


def plan(found: Live | None = None, goal: Goal = GOAL) -> Plan:
    return make_plan(WEB, Params(who="canary-errors", why="errors"), found or bad(), goal)


def patch_of(made: Plan) -> Step:
    return next(step for step in made.steps if step.kind is StepKind.PATCH)


def written(made: Plan, over: Mapping[str, Any], fence: int = 5, rollback: str = "r1") -> dict[str, Any]:
    """Return a workload as the plan's patch leaves it."""
    change = writing.change_of(patch_of(made).values, over, fence, rollback)
    annotations = {**(over["metadata"].get("annotations") or {}), **{k: v for k, v in change.marks.items() if v}}
    spec = {**over["spec"], **({"template": change.template} if change.template else {})}
    if change.replicas is not None:
        spec["replicas"] = change.replicas
    return {**over, "metadata": {**over["metadata"], "annotations": annotations}, "spec": spec}


def test_a_patch_holds_only_for_the_version_and_the_object_that_were_read() -> None:
    """A `replace` of a stale resourceVersion is answered 409; a `test` of it 422, as a bad template is."""
    patch = change_patch(workload(V2), Change({f"{OURS}fence": "5"}, template=V1))
    assert patch == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "test", "path": "/metadata/uid", "value": "w1"},
        {"op": "replace", "path": "/spec/template", "value": V1},
        {"op": "add", "path": "/metadata/annotations", "value": {f"{OURS}fence": "5"}},
    ]


def test_annotations_of_others_stay() -> None:
    """Each of ours is added by its own, escaped key; one that is no longer true is taken away if it is there."""
    change = Change({f"{OURS}fence": "5", f"{OURS}replicas": None}, replicas=0, paused=False)
    there = workload(V2, annotations={"other": "x", f"{OURS}replicas": "3"})
    assert change_patch(there, change)[2:] == [
        {"op": "add", "path": "/spec/replicas", "value": 0},
        {"op": "add", "path": "/spec/paused", "value": False},
        {"op": "add", "path": "/metadata/annotations/rollback-controller.io~1fence", "value": "5"},
        {"op": "remove", "path": "/metadata/annotations/rollback-controller.io~1replicas"},
    ]
    assert all(op["op"] != "remove" for op in change_patch(workload(V2, annotations={}), change))


@given(st.text(max_size=20))
def test_keys_are_escaped_as_json_pointers_are(key: str) -> None:
    """Reading it back gives the key."""
    assert "/" not in escaped(key)
    assert escaped(key).replace("~1", "/").replace("~0", "~") == key


@pytest.mark.parametrize(
    ("managers", "left"),
    [
        (["shop-team", "rollback-controller"], [{"manager": "shop-team"}]),
        (["rollback-controller"], [{}]),
        (["shop-team"], None),
        ([], None),
    ],
)
def test_only_our_own_entry_is_stripped(managers: list[str], left: list[dict[str, str]] | None) -> None:
    """An empty list would mean nothing to the API server; a list of one empty entry clears it."""
    found = workload(V2)
    found["metadata"]["managedFields"] = [{"manager": manager} for manager in managers]
    patch = strip_patch(found)
    assert (patch[-1]["value"] if patch else None) == left


def test_each_step_says_what_it_does_and_how_it_is_taken_back() -> None:
    """In words for the person who reads a dry run."""
    made = plan()
    assert [(step.kind, step.does) for step in made.steps] == [
        ("patch", "write the pod template of v1+h1 into deployment web"),
        (
            "strip-managed-fields",
            "take our entry out of the managedFields of deployment web, for its owner's next apply",
        ),
        ("announce", "say so in an Event on deployment web"),
        ("rollout", "see deployment web rolled out, each time further within 300 s, and healthy for 10 s"),
    ]
    assert patch_of(made).way_back == "write the pod template of v2+h2 into deployment web again"
    assert all(step.way_back for step in made.steps)


def test_a_plan_is_whole_as_json_and_the_same_for_the_same_facts() -> None:
    """Status moves the resourceVersion on all the time; that makes no other plan."""
    later = bad()
    later.workload["metadata"]["resourceVersion"] = "99"  # type: ignore[index]
    assert plan().digest == plan(later).digest == Plan.from_json(plan().to_json()).digest


def test_our_annotations_say_what_was_done() -> None:
    """Fence and rollback for the next of us, the release by its name and sum, and a change cause for people."""
    marks = writing.change_of(patch_of(plan()).values, workload(V2), 5, "r1").marks
    assert marks == {
        f"{OURS}fence": "5",
        f"{OURS}effect": "w1/2/h2",
        f"{OURS}rollback": "r1",
        f"{OURS}rule": "canary-errors",
        f"{OURS}release": "v1+h1",
        f"{OURS}template": sha_of(V1),
        f"{OURS}replicas": None,
        "kubernetes.io/change-cause": "rollback r1: v2+h2 to v1+h1 by canary-errors",
    }


def with_fence(fence: object, rollback: str = "r0") -> dict[str, str]:
    return {f"{OURS}fence": str(fence), f"{OURS}rollback": rollback}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (workload(V2), None),
        (workload(V2, replicas=9, status={"replicas": 1}), None),
        (workload(V2, annotations={"other": "x"}), None),
        (workload(V3), Reason.CHANGED_MEANWHILE),
        (workload(V2, uid="w2"), Reason.CHANGED_MEANWHILE),
        (workload(V2, paused=True), Reason.PAUSED),
        (workload(V2, annotations=with_fence(4)), Reason.CHANGED_MEANWHILE),
        (workload(V2, annotations=with_fence(5)), Reason.STALE_FENCE),
        (workload(V2, annotations=with_fence(6)), Reason.STALE_FENCE),
        (workload(V3, annotations=with_fence(6)), Reason.STALE_FENCE),
    ],
)
def test_when_a_change_may_still_be_made(now: dict[str, Any], reason: Reason | None) -> None:
    """Status and the number of pods are nobody's decision about the release; all else is."""
    was = patch_of(plan()).values["was"]
    assert isinstance(was, dict)
    if reason is None:
        writing.require_unchanged(was, now, 5, "r1")
        return
    with pytest.raises(Permanent) as refused:
        writing.require_unchanged(was, now, 5, "r1")
    assert refused.value.reason is reason


@pytest.mark.parametrize("text", ["", "x", "-5", "1e9", "٣", "5 "])
def test_a_fence_that_is_no_number_counts_as_none(text: str) -> None:
    """Whoever writes nonsense there keeps nobody out."""
    writing.require_fence(workload(V2, annotations=with_fence(text)), 1, "r1")


def test_a_takeover_tells_done_from_not_done_from_neither() -> None:
    """By template, uid and fence; by the number of pods only where that is the change."""
    made, now = plan(), workload(V2)
    values = patch_of(made).values
    assert writing.state_of(values, now, "r1") is StepState.NOT_DONE
    assert writing.state_of(values, written(made, now), "r1") is StepState.DONE
    assert writing.state_of(values, written(made, now, rollback="r2"), "r1") is StepState.NEITHER
    assert writing.state_of(values, workload(V3), "r1") is StepState.NEITHER
    assert writing.state_of(values, workload(V2, annotations=with_fence(9)), "r1") is StepState.NEITHER
    zero = plan(goal=Goal("scaled-to-zero", replicas=0))
    assert writing.state_of(patch_of(zero).values, now, "r1") is StepState.NOT_DONE
    assert writing.state_of(patch_of(zero).values, written(zero, now), "r1") is StepState.DONE


def again(found: dict[str, Any]) -> Live:
    """Return a look at the workload after the change."""
    history = [replicaset(3, V1, made_hash="h1"), replicaset(2, V2)]
    more = {**found["spec"], "annotations": found["metadata"]["annotations"]}
    now = more.pop("template")
    return deployment(now, history, revision=3 if now is V1 else 2, **more)


def test_the_way_back_puts_back_what_was() -> None:
    """The old template; that it is taken up is enough, for what is gone back to was bad."""
    made = plan()
    way_back = make_way_back(WEB, Params(), again(written(made, workload(V2))), made)
    assert (way_back.from_release, way_back.to_release) == ("v1+h1", "v2+h2")
    assert patch_of(way_back).values["template"] == V2
    assert patch_of(way_back).values["replicas"] is None
    assert way_back.steps[-1].values["settled"] == "taken-up"
    assert way_back.steps[-1].does == "see the controller of deployment web take it up"


def test_the_way_back_from_nothing_puts_the_pods_back() -> None:
    """As many as there were, and the template is not touched."""
    made = plan(goal=Goal("scaled-to-zero", replicas=0))
    gone = written(made, workload(V2))
    way_back = make_way_back(WEB, Params(), again(gone), made)
    assert patch_of(way_back).values["replicas"] == 2
    assert patch_of(way_back).values["template"] is None
    assert StepKind.DELETE_PODS not in {step.kind for step in way_back.steps}


def test_a_count_that_somebody_set_meanwhile_is_theirs() -> None:
    """The way back from nothing then changes no number, whether it was seen when it was planned or only later."""
    made = plan(goal=Goal("scaled-to-zero", replicas=0))
    gone = written(made, workload(V2))
    scaled = {**gone, "spec": {**gone["spec"], "replicas": 7}}
    way_back = make_way_back(WEB, Params(), again(scaled), made)
    assert patch_of(way_back).values["replicas"] is None
    assert patch_of(way_back).does == "note on deployment web that it runs v2+h2 again"
    assert written(way_back, scaled)["spec"]["replicas"] == 7
    early = make_way_back(WEB, Params(), again(gone), made)
    assert patch_of(early).does == "scale deployment web to 2"
    late = written(early, scaled)
    assert late["spec"]["replicas"] == 7
    assert writing.state_of(patch_of(early).values, late, "r1") is StepState.DONE
    assert writing.change_of(patch_of(early).values, scaled, 5, "r1").marks[f"{OURS}replicas"] is None


def scaled_by_us(count: str, replicas: int = 0) -> Live:
    ours = {f"{OURS}release": "scaled-to-zero", f"{OURS}template": sha_of(V2), f"{OURS}replicas": count}
    return bad(annotations=ours, replicas=replicas)


@pytest.mark.parametrize(
    ("found", "replicas"),
    [
        (scaled_by_us("3"), 3),
        (scaled_by_us("3", replicas=1), None),
        (scaled_by_us("x"), None),
        (scaled_by_us("٣"), None),
        (scaled_by_us("0"), None),
        (bad(replicas=0), None),
        (bad(replicas=0, annotations={f"{OURS}release": "v1+h1", f"{OURS}replicas": "3"}), None),
    ],
    ids=["ours", "scaled-since", "nonsense", "odd-digits", "none", "not-ours", "ours-of-before"],
)
def test_a_release_comes_back_with_the_pods_that_we_took_away(found: Live, replicas: int | None) -> None:
    """As many as were noted; where somebody else decided on none, none it is."""
    assert patch_of(plan(found)).values["replicas"] == replicas


def test_what_was_scaled_to_zero_goes_back_there() -> None:
    """Where the release that was brought instead is bad too; the count is noted again."""
    found = scaled_by_us("3")
    made = plan(found)
    assert patch_of(made).does == "write the pod template of v1+h1 into deployment web, and scale it to 3"
    brought = written(made, found.workload)
    assert brought["spec"]["replicas"] == 3
    way_back = make_way_back(WEB, Params(), again(brought), made)
    values = patch_of(way_back).values
    assert (values["release"], values["replicas"], values["template"]) == ("scaled-to-zero", 0, V2)
    assert written(way_back, brought)["metadata"]["annotations"][f"{OURS}replicas"] == "3"


def test_what_was_never_changed_needs_no_way_back() -> None:
    """It is looked at, no more."""
    assert [step.kind for step in make_way_back(WEB, Params(), bad(), plan()).steps] == [StepKind.ROLLOUT]


def test_there_is_no_way_back_over_somebodys_work() -> None:
    """Another template, or another workload of the same name."""
    for found in (bad(V3), bad(uid="w2")):
        with pytest.raises(Permanent) as refused:
            make_way_back(WEB, Params(), found, plan())
        assert refused.value.reason is Reason.CHANGED_MEANWHILE
