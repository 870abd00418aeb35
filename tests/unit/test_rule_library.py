"""Every rule file that ships does what its comments say, on alerts as Alertmanager sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rules
from rules.alerts import Alert
from rules.explain import explain
from rules.factsfile import parse_facts
from rules.inventory import Inventory, parse_inventory
from rules.rulefile import Mode, RuleSet, combine, parse_rules

LIBRARY = Path(rules.__path__[0]) / "library"
FILES = sorted(path for path in LIBRARY.glob("*.yaml") if not path.name.endswith(".test.yaml"))

INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts:
      - {name: web1, address: 10.90.0.2, labels: {track: stable, region: us-1}}
      - {name: web2, address: 10.90.0.3, labels: {track: canary, region: eu-1}}
      - {name: web3, address: 10.90.0.4, labels: {track: stable, region: eu-2}}
"""


@pytest.fixture
def inventory() -> Inventory:
    return parse_inventory(INVENTORY, "inventory.yaml")


def load(name: str, *, acting: bool = False) -> RuleSet:
    text = (LIBRARY / name).read_text(encoding="utf-8")
    return parse_rules(text.replace("mode: observe", "mode: act") if acting else text, name)


def alert(**labels: str) -> Alert:
    return Alert("a1b2", "firing", {"severity": "critical", **labels}, {}, 10**12)


FACTS = """
services:
  shop: {known-good: [v1.2.0]}
instances:
  web1: {running: v1.2.0, arrived: -10m, releases: [v1.0.0, v1.1.0, v1.2.0, v1.3.0]}
  web2: {running: v1.2.0, arrived: -10m, releases: [v1.0.0, v1.1.0, v1.2.0, v1.3.0]}
  web3: {running: v1.2.0, arrived: -10m, releases: [v1.0.0, v1.1.0, v1.2.0, v1.3.0]}
"""


def facts(**running: str) -> str:
    """Return a facts file in which some hosts run something else than v1.2.0."""
    text = FACTS
    for host, release in running.items():
        text = text.replace(f"{host}: {{running: v1.2.0", f"{host}: {{running: {release}")
    return text


def said(
    ruleset: RuleSet, inventory: Inventory, sent: Alert, known: str, clusters: tuple[str, ...] = ()
) -> dict[str, dict[str, Any]]:
    """Return what each rule says about an alert, by the rule's name."""
    world = parse_facts(known, "facts.yaml").world(inventory, [sent], clusters=clusters)
    (entry,) = explain(ruleset, inventory, [sent], clusters=clusters or None, world=world)
    return {decision["rule"]: decision for decision in entry["decisions"]}


def going(decision: dict[str, Any]) -> dict[str, str]:
    """Return the instances that go back, without those that are left alone."""
    return {instance: release for instance, release in decision["instances"].items() if release is not None}


def decisions(ruleset: RuleSet, inventory: Inventory, sent: Alert, **running: str) -> dict[str, tuple[str, dict]]:
    found = said(ruleset, inventory, sent, facts(**running))
    return {name: (one["outcome"], one["instances"]) for name, one in found.items()}


RUNNING = {"web2": "v1.3.0"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_that_ships_is_safe_to_use_as_it_is(path):
    """It loads without a warning, names its schema, and only observes."""
    text = path.read_text(encoding="utf-8")
    ruleset = parse_rules(text, path.name)
    assert ruleset.warnings == ()
    assert {rule.mode for rule in ruleset.rules} == {Mode.OBSERVE}
    assert text.startswith("# yaml-language-server: $schema=../schema/rules.v1.json\n")
    assert (path.parent / "../schema/rules.v1.json").exists()


def test_the_canary_goes_back_and_nothing_else(inventory):
    """canary-only: an alert about web2 takes web2 back; the same alert about web1 takes nothing back."""
    ruleset = load("canary-only.yaml", acting=True)
    about_canary = alert(alertname="HighErrorRate", instance="10.90.0.3:8080")
    about_stable = alert(alertname="HighErrorRate", instance="10.90.0.2:8080", track="canary")
    assert decisions(ruleset, inventory, about_canary, **RUNNING) == {
        "canary-errors": ("roll-back", {"hosts/default/shop/web2": "v1.2.0"})
    }
    assert decisions(ruleset, inventory, about_stable, **RUNNING) == {"canary-errors": ("no-match", {})}


def test_as_shipped_the_canary_rule_only_says_what_it_would_do(inventory):
    """canary-only: the outcome is observe until somebody changes the mode."""
    found = decisions(
        load("canary-only.yaml"), inventory, alert(alertname="HighLatency", instance="web2"), **RUNNING
    )
    assert found["canary-errors"][0] == "observe"


def test_a_warning_is_not_about_the_canary(inventory):
    """canary-only: only critical alerts count."""
    mild = alert(alertname="HighErrorRate", instance="web2", severity="warning")
    assert decisions(load("canary-only.yaml"), inventory, mild)["canary-errors"] == ("no-match", {})


def test_a_canary_that_ran_long_before_the_trouble_is_left_alone(inventory):
    """canary-only: what changed lately is not the release."""
    sent = alert(alertname="HighErrorRate", instance="web2")
    found = said(load("canary-only.yaml", acting=True), inventory, sent, FACTS.replace("-10m", "-3d"))
    assert found["canary-errors"]["reason"] == "release-too-old"


def test_where_nothing_is_known_to_be_good_a_person_is_asked(inventory):
    """canary-only: with the best unknown release as a proposal."""
    sent = alert(alertname="HighErrorRate", instance="web2")
    found = said(load("canary-only.yaml", acting=True), inventory, sent, FACTS.replace("[v1.2.0]}", "[]}"))
    assert (found["canary-errors"]["outcome"], found["canary-errors"]["reason"]) == ("ask", "nothing-known-good")


def test_instances_are_chosen_by_label(inventory):
    """labelled-instances: a region's alert is about the instances of these regions that just got a release."""
    regions = load("labelled-instances.yaml", acting=True)
    sent = alert(alertname="RegionErrors", service="shop")
    one_suspect = FACTS.replace("web3: {running: v1.2.0, arrived: -10m", "web3: {running: v1.2.0, arrived: -3d")
    found = said(regions, inventory, sent, one_suspect.replace("web2: {running: v1.2.0", "web2: {running: v1.3.0"))
    assert found["region-by-label"]["outcome"] == "roll-back"
    assert going(found["region-by-label"]) == {"hosts/default/shop/web2": "v1.2.0"}
    assert found["release-by-version"]["reason"] == "no-match"


def test_of_several_suspects_a_person_says_which(inventory):
    """labelled-instances: the alert cannot tell."""
    found = said(
        load("labelled-instances.yaml", acting=True),
        inventory,
        alert(alertname="RegionErrors", service="shop"),
        facts(web2="v1.3.0", web3="v1.3.0"),
    )
    assert (found["region-by-label"]["outcome"], found["region-by-label"]["reason"]) == ("ask", "suspects-many")


def test_instances_are_chosen_by_the_release_they_run(inventory):
    """labelled-instances: an alert that names v1.3.0 takes back the instances that run it."""
    found = said(
        load("labelled-instances.yaml", acting=True),
        inventory,
        alert(alertname="ReleaseErrors", service="shop", version="v1.3.0"),
        facts(web1="v1.3.0", web3="v1.3.0"),
    )
    assert found["release-by-version"]["outcome"] == "roll-back"
    assert found["release-by-version"]["instances"] == {
        "hosts/default/shop/web1": "v1.2.0",
        "hosts/default/shop/web3": "v1.2.0",
    }
    assert found["region-by-label"]["reason"] == "no-match"


def test_an_alert_without_a_version_is_not_about_a_release(inventory):
    """labelled-instances: no version, no match."""
    sent = alert(alertname="ReleaseErrors", service="shop")
    found = said(load("labelled-instances.yaml"), inventory, sent, facts())
    assert found["release-by-version"]["reason"] == "no-match"


CANARY = "kubernetes/eu/shop/deployment/web-canary"
NEW = "kubernetes/eu/shop/deployment/web-new"
STABLE = "kubernetes/eu/shop/deployment/web"
WORKLOADS = f"""
services:
  shop: {{known-good: [v1.2.0]}}
instances:
  {CANARY}:
    labels: {{app.kubernetes.io/name: shop, track: canary}}
    running: v1.3.0
    arrived: -30m
    releases: [v1.2.0, v1.3.0]
    offers: {{same-as track=stable: v1.2.0}}
  {NEW}:
    labels: {{app.kubernetes.io/name: shop, track: canary}}
    running: v1.3.0
    arrived: -5h
    releases: [v1.3.0]
    offers: {{same-as track=stable: v1.2.0}}
  {STABLE}:
    labels: {{app.kubernetes.io/name: shop, track: stable, rollback: automatic}}
    running: v1.3.0
    arrived: -20m
    releases: [v1.1.0, v1.2.0, v1.3.0]
    pods: [web-5d4f-bb2bb]
"""


def about_workload(name: str, more: str = "", *, known: str = WORKLOADS, **labels: str) -> dict[str, Any]:
    """Return what the one rule that matches says, of those for Kubernetes."""
    ruleset = combine(
        [load("kubernetes-canary-only.yaml", acting=True), load("kubernetes-workloads.yaml", acting=True)]
    )
    found = said(ruleset, Inventory({}), alert(alertname=name, **labels), known + more, clusters=("eu",))
    (one,) = [decision for decision in found.values() if decision["reason"] != "no-match"]
    return one


def test_the_canary_of_a_cluster_goes_back():
    """kubernetes-canary-only: if its pods are those of a canary, whatever the alert says."""
    found = about_workload("HighErrorRate", namespace="shop", deployment="web-canary")
    assert (found["rule"], found["outcome"]) == ("kubernetes-canary-errors", "roll-back")
    assert found["instances"] == {CANARY: "v1.2.0"}
    stable = about_workload("HighErrorRate", namespace="shop", deployment="web", track="canary")
    assert (stable["outcome"], stable["reason"]) == ("no-match", "not-selected")


def test_a_canary_without_an_earlier_release_takes_what_the_stable_one_runs():
    """kubernetes-canary-only: the second entry of `to`."""
    known = WORKLOADS.replace("-5h", "-10m")
    found = about_workload("HighErrorRate", known=known, namespace="shop", deployment="web-new")
    assert found["instances"] == {NEW: "v1.2.0"}


def test_a_pod_that_crashes_leads_to_its_workload():
    """kubernetes-workloads: which opted in, and whose trouble began fifteen minutes before the alert fired."""
    found = about_workload("KubePodCrashLooping", namespace="shop", pod="web-5d4f-bb2bb")
    assert (found["rule"], found["outcome"]) == ("crashing-release", "roll-back")
    assert found["instances"] == {STABLE: "v1.2.0"}
    late = about_workload(
        "KubePodCrashLooping", known=WORKLOADS.replace("-20m", "-10m"), namespace="shop", pod="web-5d4f-bb2bb"
    )
    assert (late["outcome"], late["reason"]) == ("refuse", "predates-release")


def test_a_node_that_is_not_ready_is_another_cause():
    """kubernetes-workloads: of the same cluster only."""
    for cluster, reason in (("eu", "common-cause"), ("us", "allowed")):
        node = f"alerts: [{{labels: {{alertname: KubeNodeNotReady, cluster: {cluster}}}}}]\n"
        found = about_workload("KubePodCrashLooping", node, namespace="shop", pod="web-5d4f-bb2bb", cluster="eu")
        assert found["reason"] == reason


def test_a_workload_is_chosen_by_the_release_it_runs():
    """kubernetes-workloads: one that runs another release is left alone."""
    asked = {"namespace": "shop", "deployment": "web-canary"}
    found = about_workload("ReleaseErrors", version="v1.3.0", **asked)
    assert (found["rule"], found["instances"]) == ("workload-by-version", {CANARY: "v1.2.0"})
    assert about_workload("ReleaseErrors", version="v1.2.0", **asked)["reason"] == "stale"


def test_an_alert_that_names_no_workload_is_about_what_arrived_lately():
    """kubernetes-workloads: the canary of the shop, in its namespace, and not the one that came hours ago."""
    found = about_workload("ProbeFailing", service="shop")
    assert (found["rule"], found["outcome"]) == ("canary-to-nothing", "roll-back")
    assert going(found) == {CANARY: "v1.2.0"}
    assert about_workload("ProbeFailing", service="shop", namespace="cart")["reason"] == "not-selected"
