"""The Event on a workload that says what was done to it. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rules.instances import WorkloadKind
from workers.kubernetes.marks import MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.instances import WorkloadInstance

API_KINDS = {
    WorkloadKind.DEPLOYMENT: "Deployment",
    WorkloadKind.STATEFULSET: "StatefulSet",
    WorkloadKind.DAEMONSET: "DaemonSet",
}
_LONGEST_MESSAGE = 1024
_LONGEST_NAME = 200


def event(instance: WorkloadInstance, values: Mapping[str, Any], rollback: str, now_s: float) -> dict[str, Any]:
    """Return the Event. Its name follows from the rollback, so that it is made once however often it is tried."""
    of = f"{rollback} undone" if values["undoes"] else rollback
    number = hashlib.sha256(of.encode()).hexdigest()[:16]
    at = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{instance.name[:_LONGEST_NAME].rstrip('-.')}.{number}",
            "namespace": instance.namespace,
        },
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": API_KINDS[instance.kind],
            "name": instance.name,
            "namespace": instance.namespace,
            "uid": values["uid"],
        },
        "reason": "RollbackUndone" if values["undoes"] else "RolledBack",
        "message": f"{values['message']} (rollback {rollback})"[:_LONGEST_MESSAGE],
        "type": "Normal",
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
