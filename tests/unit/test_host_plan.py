"""What going back takes on a host: the same facts give the same plan, and a person can read it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rules.decisions import Reason
from rules.errors import Permanent
from rules.inventory import Health, Host, Restart, RestartKind, Service, Stop
from rules.observations import Observation
from rules.plans import Plan, Step, StepKind
from workers.hosts.plan import Params, link_text, make_plan, make_way_back

HOST = Host("web1", "10.0.0.1")
SHOP = Service(
    name="shop",
    releases="/opt/shop/releases",
    current="/opt/shop/current",
    restart=Restart(RestartKind.SYSTEMD, unit="shop.service"),
    hosts=(HOST,),
    health=Health(url="http://{address}:8080/healthz"),
)
PARAMS = Params()


def looking_at(target: str, running: str | None) -> Observation:
    details = {"link": {"target": target, "id": "5:6.7"}}
    return Observation(running=running, arrival=f"{target}@5:6.7", fence=0, details=details)


SEEN = looking_at("releases/v1.3.0", "v1.3.0")


def plan(service: Service = SHOP, host: Host = HOST, params: Params = PARAMS, seen: Observation = SEEN) -> Plan:
    return make_plan("hosts/default/shop/web1", service, host, params, seen, "v1.2.0")


def step(made: Plan, kind: StepKind) -> Step:
    return next(step for step in made.steps if step.kind is kind)


def test_each_step_says_what_it_does_and_how_it_is_taken_back() -> None:
    """In words for the person who reads a dry run."""
    assert [(step.kind, step.does) for step in plan().steps] == [
        ("switch", "point /opt/shop/current at releases/v1.2.0"),
        ("restart", "restart shop.service"),
        ("health", "see http://10.0.0.1:8080/healthz healthy within 30 s, and so for 10 s"),
        ("keep-stable", "write v1.2.0 into /opt/shop/last_stable"),
    ]
    assert step(plan(), StepKind.SWITCH).way_back == "point /opt/shop/current at releases/v1.3.0 again"
    assert all(step.way_back for step in plan().steps)


def test_a_plan_is_whole_as_json() -> None:
    """A worker that takes over needs nothing else, and the same facts give the same digest."""
    assert Plan.from_json(plan().to_json()).digest == plan().digest
    values = json.loads(plan().to_json())["steps"][0]["values"]
    assert values["planned"] == {"target": "releases/v1.3.0", "id": "5:6.7"}
    assert values["release"] == "/opt/shop/releases/v1.2.0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("releases/v1.3.0", "releases/v1.2.0"),
        ("./releases/v1.3.0/", "./releases/v1.2.0"),
        ("/opt/shop/releases/v1.3.0", "/opt/shop/releases/v1.2.0"),
        ("../shop/releases/v1.3.0", "../shop/releases/v1.2.0"),
        ("hotfix", "releases/v1.2.0"),
        ("/opt/shop/hotfix", "/opt/shop/releases/v1.2.0"),
        ("/srv/shop/releases/v1.3.0", "/opt/shop/releases/v1.2.0"),
    ],
)
def test_relative_stays_relative_and_absolute_absolute(old: str, new: str) -> None:
    """The link is written as its owner writes it."""
    assert link_text(old, SHOP, "v1.2.0") == new


def test_drain_comes_first_and_undrain_after_health() -> None:
    """Out of rotation before the change, in again once the release is proven; each with its own deadline."""
    made = plan(replace(SHOP, stop=Stop(("shopctl", "drain"), ("shopctl", "undrain"), 60)))
    assert [step.kind for step in made.steps] == ["drain", "switch", "restart", "health", "undrain", "keep-stable"]
    assert (made.steps[0].way_back, made.steps[0].deadline_s) == ("run shopctl undrain", 60)


@pytest.mark.parametrize(
    ("health", "params", "within_s", "steady_s"),
    [
        (Health(url="http://x", within_s=30), Params(healthy_within_s=300, steady_s=10), 30, 10),
        (Health(url="http://x", within_s=600), Params(healthy_within_s=300, steady_s=10), 300, 10),
        (Health(url="http://x", for_s=60), Params(steady_s=10), 30, 10),
        (Health(systemd=True, for_s=60), Params(steady_s=10), 30, 60),
        (None, Params(healthy_within_s=120, steady_s=5), 120, 5),
    ],
)
def test_rule_and_service_both_bound_health(
    health: Health, params: Params, within_s: float, steady_s: float
) -> None:
    """The shorter time to get healthy, the longer time to stay so."""
    values = step(plan(replace(SHOP, health=health), params=params), StepKind.HEALTH).values
    assert (values["within_s"], values["steady_s"]) == (within_s, steady_s)


def test_an_ipv6_address_in_a_url() -> None:
    """In brackets, as URLs want it."""
    values = step(plan(host=Host("web6", "2001:db8::1")), StepKind.HEALTH).values
    assert values["url"] == "http://[2001:db8::1]:8080/healthz"


def test_the_way_back_leads_to_the_very_link_that_was() -> None:
    """Without noting as stable what was just left."""
    forward = plan()
    back = make_way_back(forward, SHOP, HOST, PARAMS, looking_at("releases/v1.2.0", "v1.2.0"))
    assert [step.kind for step in back.steps] == ["switch", "restart", "health"]
    assert step(back, StepKind.SWITCH).values["target"] == "releases/v1.3.0"
    assert (back.from_release, back.to_release) == ("v1.2.0", "v1.3.0")


def test_a_switch_that_never_was_needs_no_way_back() -> None:
    """Only the process is put right."""
    back = make_way_back(plan(), SHOP, HOST, PARAMS, SEEN)
    assert [step.kind for step in back.steps] == ["restart", "health"]


def test_the_way_back_from_a_link_that_left_the_releases() -> None:
    """A link to a hotfix outside of them gets its old text back."""
    forward = plan(seen=looking_at("hotfix", None))
    back = make_way_back(forward, SHOP, HOST, PARAMS, looking_at("releases/v1.2.0", "v1.2.0"))
    assert step(back, StepKind.SWITCH).values["release"] == "/opt/shop/hotfix"


def test_somebody_elses_work_is_not_undone() -> None:
    """The link is neither what it was nor what the plan made it."""
    with pytest.raises(Permanent) as refused:
        make_way_back(plan(), SHOP, HOST, PARAMS, looking_at("releases/v1.4.0", "v1.4.0"))
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
