"""Probes, upgrades, autoscalers and selectors: what keeps the controller running while others are at work."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.chart_shapes import MINIMAL, SHAPES, of_kind, pods_of, the_one
from testbed.helm_engine import Manifest, manifests


def test_probes_ask_the_health_endpoints(objects: list[Manifest]) -> None:
    """Liveness never asks Redis, readiness of the receiver does."""
    for role, port in (("receiver", "http"), ("worker", "health")):
        (container,) = pods_of(objects)[role]["containers"]
        for probe, path in (
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ):
            assert container[probe]["httpGet"] == {"path": path, "port": port}
            assert container[probe]["periodSeconds"] > 0
        assert port in [one["name"] for one in container["ports"]]


CHANGES = [
    ({"policy": {"mode": "ask"}}, {"checksum/settings"}),
    ({"rules": {"files": {"other.yaml": "version: rules/v1\nrules: []\n"}}}, {"checksum/rules"}),
    ({"worker": {"processes": 5}}, {"checksum/settings"}),
    ({"commonAnnotations": {"a": "b"}}, set()),
]


@pytest.mark.parametrize(("said", "changed"), CHANGES)
def test_pods_start_anew_when_a_file_changes(said: dict[str, Any], changed: set[str]) -> None:
    """By a sum in their template; a change that is none of theirs leaves them alone."""

    def sums(values: dict[str, Any]) -> set[tuple[str, str]]:
        found = the_one(manifests(values), "Deployment", "-receiver")["spec"]["template"]["metadata"][
            "annotations"
        ]
        return {*found.items()}

    assert {name for name, _ in sums(MINIMAL) ^ sums({**MINIMAL, **said})} == changed


def test_a_rolling_upgrade_never_has_fewer_than_before(objects: list[Manifest]) -> None:
    """A new pod is ready before an old one is asked to stop, and has the time that the product asks for."""
    for one in of_kind(objects, "Deployment"):
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert pods_of(objects)["worker"]["terminationGracePeriodSeconds"] > 90


def test_an_autoscaler_is_not_contradicted_by_the_deployment() -> None:
    """`replicas` in the template would set its number back with each upgrade."""
    for name, autoscaled in (("several-clusters", True), ("ha", True), ("minimal", False)):
        objects = manifests(SHAPES[name])
        assert ("replicas" not in the_one(objects, "Deployment", "-worker")["spec"]) is autoscaled
        assert "replicas" in the_one(objects, "Deployment", "-receiver")["spec"]


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return wanted and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def test_selectors_find_the_pods_that_they_mean(objects: list[Manifest]) -> None:
    """Services, budgets and policies; a selector that finds nothing protects nothing."""
    labels = {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"][
            "metadata"
        ]["labels"]
        for one in of_kind(objects, "Deployment", "StatefulSet")
    }
    (test,) = of_kind(objects, "Pod")
    labels["test"] = test["metadata"]["labels"]
    for one in of_kind(objects, "Service"):
        (found,) = [
            role for role, have in labels.items() if _selects({"matchLabels": one["spec"]["selector"]}, have)
        ]
        assert found == one["metadata"]["labels"]["app.kubernetes.io/component"]
    for one in of_kind(objects, "PodDisruptionBudget", "NetworkPolicy", "Deployment", "StatefulSet"):
        selector = one["spec"].get("podSelector") or one["spec"]["selector"]
        (found,) = [role for role, have in labels.items() if _selects(selector, have)]
        assert found == one["metadata"]["labels"]["app.kubernetes.io/component"]
    for one in of_kind(objects, "Deployment"):
        for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            role = one["metadata"]["labels"]["app.kubernetes.io/component"]
            assert _selects(spread["labelSelector"], labels[role])
