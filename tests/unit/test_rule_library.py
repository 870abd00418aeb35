"""Every rule file that ships does what its comments say, on alerts as Alertmanager sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rules
from rules.alerts import Alert
from rules.decisions import Reason
from rules.explain import explain
from rules.inventory import Inventory, parse_inventory
from rules.observations import Observation, Offer, ReleaseSeen
from rules.rulefile import Mode, RuleSet, combine, parse_rules

LIBRARY = Path(rules.__path__[0]) / "library"
FILES = sorted(LIBRARY.glob("*.yaml"))

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
    return Alert("a1b2", "firing", {"severity": "critical", **labels}, {}, 0)


def facts(**running: str) -> dict[str, Observation]:
    releases = tuple(ReleaseSeen(f"v1.{n}.0", (n,)) for n in range(4))
    return {
        f"hosts/default/shop/{host}": Observation(release, "arrival", 0, releases)
        for host, release in running.items()
    }


def decisions(ruleset: RuleSet, inventory: Inventory, sent: Alert, **running: str) -> dict[str, tuple[str, dict]]:
    (entry,) = explain(ruleset, inventory, [sent], facts(**running))
    return {d["rule"]: (d["outcome"], d["instances"]) for d in entry["decisions"]}


RUNNING = {"web1": "v1.2.0", "web2": "v1.3.0", "web3": "v1.3.0"}


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


def test_instances_are_chosen_by_label(inventory):
    """labelled-instances: a region's alert takes back every instance of these regions."""
    found = decisions(
        load("labelled-instances.yaml", acting=True),
        inventory,
        alert(alertname="RegionErrors", service="shop"),
        **RUNNING,
    )
    assert found == {
        "region-by-label": (
            "roll-back",
            {"hosts/default/shop/web2": "v1.2.0", "hosts/default/shop/web3": "v1.2.0"},
        ),
        "release-by-version": ("no-match", {}),
    }


def test_instances_are_chosen_by_the_release_they_run(inventory):
    """labelled-instances: an alert that names v1.3.0 takes back the instances that run it."""
    found = decisions(
        load("labelled-instances.yaml", acting=True),
        inventory,
        alert(alertname="ReleaseErrors", service="shop", version="v1.3.0"),
        web1="v1.3.0",
        web2="v1.2.0",
        web3="v1.3.0",
    )
    assert found["release-by-version"] == (
        "roll-back",
        {"hosts/default/shop/web1": "v1.2.0", "hosts/default/shop/web3": "v1.2.0"},
    )
    assert found["region-by-label"] == ("no-match", {})


CANARY = "kubernetes/eu/shop/deployment/web-canary"
WORKLOADS = {
    CANARY: Observation("v1.3.0", "arrival", 0, (ReleaseSeen("v1.2.0", (1,)), ReleaseSeen("v1.3.0", (2,)))),
    "kubernetes/eu/shop/deployment/web-new": Observation(
        "v1.3.0",
        "arrival",
        0,
        (ReleaseSeen("v1.3.0", (1,)),),
        offers={"same-as track=stable": Offer("v1.2.0")},
        no_history=(Reason.FIRST_RELEASE, "it is the first"),
    ),
}


def about_workload(name: str, *, observed: bool = True, **labels: str) -> dict[str, Any]:
    """Return what the one rule that matches says, of those for Kubernetes."""
    ruleset = combine([load("kubernetes-canary-only.yaml", acting=True), load("kubernetes-workloads.yaml")])
    facts = WORKLOADS if observed else None
    (entry,) = explain(ruleset, Inventory({}), [alert(alertname=name, **labels)], facts, clusters=["eu"])
    (one,) = [decision for decision in entry["decisions"] if decision["reason"] != "no-match"]
    return one


def test_the_canary_of_a_cluster_goes_back():
    """kubernetes-canary-only: provided that its pods are those of a canary, whatever the alert says."""
    found = about_workload("HighErrorRate", namespace="shop", deployment="web-canary")
    assert (found["rule"], found["outcome"]) == ("kubernetes-canary-errors", "roll-back")
    assert found["instances"] == {CANARY: "v1.2.0"}
    assert "provided that its pods carry track=canary" in found["detail"]


def test_a_canary_without_an_earlier_release_takes_what_the_stable_one_runs():
    """kubernetes-canary-only: the second entry of `to`."""
    found = about_workload("HighErrorRate", namespace="shop", deployment="web-new")
    assert found["instances"] == {"kubernetes/eu/shop/deployment/web-new": "v1.2.0"}


def test_a_pod_that_crashes_leads_to_whatever_owns_it():
    """kubernetes-workloads: which the cluster says."""
    found = about_workload("KubePodCrashLooping", namespace="shop", pod="web-5d4f-bb2bb", observed=False)
    assert (found["rule"], found["instances"]) == ("crashing-release", {})
    assert "whatever owns pod web-5d4f-bb2bb in shop (cluster eu)" in found["detail"]
    assert "its pods carry rollback=automatic and pod web-5d4f-bb2bb is of its newest revision" in found["detail"]


def test_a_workload_is_chosen_by_the_release_it_runs():
    """kubernetes-workloads: one that runs another release is left alone."""
    said = {"namespace": "shop", "deployment": "web-canary"}
    found = about_workload("ReleaseErrors", version="v1.3.0", **said)
    assert (found["rule"], found["instances"]) == ("workload-by-version", {CANARY: "v1.2.0"})
    assert about_workload("ReleaseErrors", version="v1.2.0", **said)["reason"] == "stale"


def test_an_alert_that_names_no_workload_is_about_those_that_are_selected():
    """kubernetes-workloads: the canary of the shop, in its namespace."""
    found = about_workload("ProbeFailing", service="shop")
    assert (found["rule"], found["outcome"]) == ("canary-to-nothing", "observe")
    assert "every workload in shop (cluster eu) whose pods carry app.kubernetes.io/name=shop" in found["detail"]
    assert about_workload("ProbeFailing", service="shop", namespace="cart")["reason"] == "not-selected"


def test_an_alert_without_a_version_is_not_about_a_release(inventory):
    """labelled-instances: no version, no match."""
    found = decisions(
        load("labelled-instances.yaml"), inventory, alert(alertname="ReleaseErrors", service="shop"), **RUNNING
    )
    assert found["release-by-version"] == ("no-match", {})
