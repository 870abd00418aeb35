"""The chart's shapes of values, and ways to look at what it makes of them."""

from __future__ import annotations

from typing import Any

from testbed.chart_files import CHART
from testbed.helm_engine import Manifest, read_values

HOME = "/etc/rollback-controller"
SHAPES = {path.name.removesuffix("-values.yaml"): read_values(path) for path in CHART.glob("ci/*-values.yaml")}
MINIMAL = SHAPES["minimal"]


def of_kind(objects: list[Manifest], *kinds: str) -> list[Manifest]:
    """Return the objects of these kinds."""
    return [one for one in objects if one["kind"] in kinds]


def the_one(objects: list[Manifest], kind: str, end: str) -> Manifest:
    """Return the one of that kind whose name ends so."""
    (found,) = (one for one in of_kind(objects, kind) if one["metadata"]["name"].endswith(end))
    return found


def pods_of(objects: list[Manifest]) -> dict[str, dict[str, Any]]:
    """Return the specification of each pod by its component."""
    component = "app.kubernetes.io/component"
    made = {
        one["spec"]["template"]["metadata"]["labels"][component]: one["spec"]["template"]["spec"]
        for one in of_kind(objects, "Deployment", "StatefulSet")
    }
    return made | {one["metadata"]["labels"][component]: one["spec"] for one in of_kind(objects, "Pod")}
