"""A real API server of an old Kubernetes takes every object of the chart, with its defaults and its admission."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testbed.chart_shapes import SHAPES
from testbed.cluster import Cluster
from testbed.helm_engine import manifests

OPERATORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}


def _in(namespace: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return these values with the one namespace that is there in place of those that they name."""
    targets = dict(values["targets"])
    if "namespaces" in targets:
        targets["namespaces"] = [namespace]
    if "namespaces" in targets.get("gitops", {}):
        targets["gitops"] = {**targets["gitops"], "namespaces": [namespace]}
    return {**values, "targets": targets}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_an_old_api_server_takes_every_object(cluster: Cluster, namespace: str, shape: str) -> None:
    """Without storing it: a dry run at the server."""
    server = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    objects = manifests(_in(namespace, SHAPES[shape]), namespace=namespace, kubernetes=server)
    ours = [one for one in objects if one["kind"] not in OPERATORS]
    for pod in (one for one in ours if one["kind"] == "Pod"):
        pod["spec"]["serviceAccountName"] = "default"  # the one that nothing has stored is asked for
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": ours})
    said = cluster.kubectl("create", "--dry-run=server", "--validate=true", "-f", "-", stdin=text)
    assert len(said.splitlines()) == len(ours)
