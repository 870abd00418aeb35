"""Manifests of workloads as short calls: what a test says of a workload is what matters to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed import images

Manifest = dict[str, Any]
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
"""What selects a workload's pods; its value is the workload's name."""


def deployment(
    name: str,
    image: str,
    *,
    replicas: int = 2,
    labels: Mapping[str, str] | None = None,
    pod_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    probe: bool = True,
    strategy: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Manifest:
    """Return a Deployment; further words go into its spec as they are, such as `paused=True`."""
    if strategy is not None:
        spec["strategy"] = strategy
    body = _body(name, image, pod_labels, probe) | {"replicas": replicas} | spec
    return _workload("Deployment", name, labels, annotations, body)


def statefulset(
    name: str,
    image: str,
    *,
    replicas: int = 2,
    labels: Mapping[str, str] | None = None,
    pod_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    probe: bool = True,
    partition: int | None = None,
    on_delete: bool = False,
    **spec: Any,
) -> Manifest:
    """Return a StatefulSet, without the headless Service that it names: no pod here needs it."""
    strategy = _updates(on_delete=on_delete, rolling={} if partition is None else {"partition": partition})
    own = {"replicas": replicas, "serviceName": name, "updateStrategy": strategy}
    return _workload("StatefulSet", name, labels, annotations, _body(name, image, pod_labels, probe) | own | spec)


def daemonset(
    name: str,
    image: str,
    *,
    labels: Mapping[str, str] | None = None,
    pod_labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    probe: bool = True,
    on_delete: bool = False,
    **spec: Any,
) -> Manifest:
    """Return a DaemonSet."""
    body = _body(name, image, pod_labels, probe) | {"updateStrategy": _updates(on_delete=on_delete, rolling={})}
    return _workload("DaemonSet", name, labels, annotations, body | spec)


def service(name: str, selector: Mapping[str, str], *, port: int = 80) -> Manifest:
    """Return a Service; no proxy answers on its address here, but its Endpoints are the real ones."""
    ports = [{"name": "http", "port": port, "targetPort": images.PORT, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": dict(selector), "ports": ports},
    }


def container(name: str, image: str, *, probe: bool = True, **more: Any) -> Manifest:
    """Return a container of the shop; its readiness is asked for every second."""
    made: Manifest = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": images.PORT, "protocol": "TCP"}],
    }
    if probe:
        made["readinessProbe"] = {
            "httpGet": {"path": "/healthz", "port": images.PORT},
            "periodSeconds": 1,
            "failureThreshold": 1,
        }
    return made | more


def _workload(
    kind: str,
    name: str,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    spec: Mapping[str, Any],
) -> Manifest:
    metadata: Manifest = {"name": name, "labels": {NAME: name, INSTANCE: name, **(labels or {})}}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _body(name: str, image: str, pod_labels: Mapping[str, str] | None, probe: bool) -> Manifest:
    pod = {
        "containers": [container("app", image, probe=probe)],
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    own = {NAME: name, INSTANCE: name, **(pod_labels or {})}
    return {
        "selector": {"matchLabels": {INSTANCE: name}},
        "template": {"metadata": {"labels": own}, "spec": pod},
    }


def _updates(*, on_delete: bool, rolling: Mapping[str, Any]) -> Manifest:
    if on_delete:
        return {"type": "OnDelete"}
    return {"type": "RollingUpdate", **({"rollingUpdate": dict(rolling)} if rolling else {})}
