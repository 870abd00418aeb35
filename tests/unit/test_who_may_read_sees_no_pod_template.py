"""A plan is shown with releases and images; what else a pod template holds, secrets too, stays with workers."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.kube_facts import WEB, deployment, replicaset, template

from controller.ledger import Rollback
from rules.plans import Plan, Step, StepKind
from rules.workloads.disclosure import plan_shown, without_templates
from workers.kubernetes.live import Live
from workers.kubernetes.plan import Goal, Params, make_plan, make_way_back

SECRET = "hunter2-marker"


def holding_secrets(tag: str) -> dict[str, Any]:
    """Return a template with the marker wherever people put one."""
    made = template(tag)
    made["metadata"]["annotations"] = {"config": SECRET}
    made["spec"]["containers"][0] |= {
        "env": [{"name": "PASSWORD", "value": SECRET}],
        "args": [f"--password={SECRET}"],
        "command": ["sh", "-c", SECRET],
        "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": SECRET}]}},
    }
    made["spec"]["initContainers"] = [{"name": "migrate", "image": f"shop/migrate:{tag}", "args": [SECRET]}]
    made["spec"]["volumes"] = [{"name": "x", "csi": {"volumeAttributes": {"key": SECRET}}}]
    return made


V1, V2 = holding_secrets("v1"), holding_secrets("v2")


def live(now: dict[str, Any] = V2) -> Live:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(V2)}
    return deployment(now, [replicaset(1, V1), replicaset(2, V2)], revision=2, annotations=annotations)


PARAMS = Params(who="canary-errors", why="errors")
THERE = make_plan(WEB, PARAMS, live(), Goal("v1+h1", V1, digests={"app": "sha256:1"}))
BACK = make_way_back(WEB, PARAMS, live(V1), THERE)
ZERO = make_plan(WEB, PARAMS, live(), Goal("scale-to-zero", replicas=0))


@pytest.mark.parametrize("plan", [THERE, BACK, ZERO], ids=["there", "back", "scale to zero"])
def test_a_plan_is_shown_without_what_its_templates_hold(plan: Plan) -> None:
    """As data and out of the ledger; what each step does is all there."""
    assert SECRET in plan.to_json()
    shown = plan_shown(json.loads(plan.to_json()))
    assert plan_shown(asdict(plan)) == shown
    assert SECRET not in json.dumps(shown)
    assert [(step["kind"], step["does"]) for step in shown["steps"]] == [(s.kind, s.does) for s in plan.steps]
    record = {"id": "r1", "instance": WEB.id, "state": "ended", "plan": plan.to_json()}
    assert Rollback.of(record).public()["plan"] == shown


def test_images_replicas_releases_and_digests_stay() -> None:
    """What tells a person what a change is, before and after."""
    values = plan_shown(asdict(THERE))["steps"][0]["values"]
    was = values.pop("was")
    held = THERE.steps[0].values
    assert values == {
        "template": {"images": {"migrate": "shop/migrate:v1", "app": "shop/app:v1"}, "sha": held["sha"]},
        "sha": held["sha"],
        "replicas": None,
        "paused": None,
        "release": "v1+h1",
        "from": "v2+h2",
        "digests": {"app": "sha256:1"},
        "notes": [],
        "settled": "healthy",
        "effect": THERE.arrival,
        "who": "canary-errors",
        "why": "errors",
    }
    images = {"migrate": "shop/migrate:v2", "app": "shop/app:v2"}
    assert was["spec"] == {"template": {"images": images, "sha": was["sha"]}, "replicas": 2, "paused": False}
    assert plan_shown(asdict(ZERO))["steps"][0]["values"]["template"] is None


def test_what_a_driver_may_keep_in_a_change_one_day_is_not_shown() -> None:
    """Only what is known to be harmless is."""
    step = asdict(THERE.steps[0])
    step["values"]["more"] = step["values"]["was"]["more"] = SECRET
    step["values"]["was"]["spec"]["more"] = SECRET
    assert SECRET not in json.dumps(plan_shown({**asdict(THERE), "steps": [step]}))


@pytest.mark.parametrize("values", [{}, {"was": None}, {"was": {"spec": None}}, {"template": None}, None])
def test_the_plan_of_another_version_hides_no_record(values: object) -> None:
    """It is shown as far as it is understood."""
    step = {"kind": "patch", "does": "write it", "values": values}
    assert plan_shown({"steps": [step]})["steps"][0]["does"] == "write it"
    assert plan_shown({}) == {"steps": []}


def test_plans_for_hosts_are_shown_as_they_are() -> None:
    """They hold paths and commands of the inventory."""
    step = Step(StepKind.RESTART, "restart", "restart again", {"argv": ["systemctl", "restart", "shop"]})
    plan = Plan("hosts/default/shop/web2", "v2", "v1", "a", (step,))
    assert plan_shown(json.loads(plan.to_json())) == json.loads(plan.to_json())


@given(st.lists(st.sampled_from(["observed", "before", "seen", 0]), max_size=4))
def test_no_template_is_shown_out_of_a_journal(way: list[str | int]) -> None:
    """Wherever an entry, or a step of another kind, holds one, or a whole pod or workload."""
    for held in (V1, V1["spec"], {"spec": {"template": V1, "replicas": 2}}, {"kind": "Pod", "spec": V1["spec"]}):
        entry: Any = held
        for name in way:
            entry = [entry] if name == 0 else {name: entry, "reason": "kept"}
        shown = json.dumps(without_templates(entry))
        assert SECRET not in shown
        assert "shop/app:v1" in shown
        assert ("kept" in shown) == any(name != 0 for name in way)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "spec", "images"]), inner),
    )
)
def test_what_holds_no_template_is_shown_as_it_is(value: Any) -> None:
    """Evidence and facts are nobody's secret."""
    assert without_templates(value) == value
