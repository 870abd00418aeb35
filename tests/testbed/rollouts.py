"""Whether a workload is fully rolled out, told as `kubectl rollout status` tells it."""

from __future__ import annotations

from typing import Any


def rolled_out(workload: dict[str, Any]) -> bool:
    """Whether the controller has seen the newest spec and every pod it asks for runs and is ready."""
    status = workload.get("status", {})
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return False
    return _JUDGES[workload["kind"]](workload["spec"], status)


def _deployment(spec: dict[str, Any], status: dict[str, Any]) -> bool:
    counts = (status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas"))
    return all(count == spec["replicas"] for count in counts)


def _statefulset(spec: dict[str, Any], status: dict[str, Any]) -> bool:
    if status.get("readyReplicas", 0) != spec["replicas"]:
        return False
    updates = spec["updateStrategy"]
    if updates["type"] == "OnDelete":
        return True
    partition = updates.get("rollingUpdate", {}).get("partition", 0)
    whole = status.get("currentRevision") == status.get("updateRevision")
    return whole or bool(partition > 0 and status.get("updatedReplicas", 0) >= spec["replicas"] - partition)


def _daemonset(spec: dict[str, Any], status: dict[str, Any]) -> bool:
    wanted = status["desiredNumberScheduled"]
    updated = spec["updateStrategy"]["type"] == "OnDelete" or status.get("updatedNumberScheduled", 0) == wanted
    return bool(wanted > 0 and updated and status.get("numberAvailable", 0) == wanted)


_JUDGES = {"Deployment": _deployment, "StatefulSet": _statefulset, "DaemonSet": _daemonset}
