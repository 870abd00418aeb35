"""Reading a workload: itself, its history and its pods, in three calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.instances import WorkloadKind
from workers.kubernetes import paths
from workers.kubernetes.live import Live, live
from workers.kubernetes.selectors import selector_text

if TYPE_CHECKING:
    from rules.instances import WorkloadInstance
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.marks import Json


def look(cluster: Cluster, instance: WorkloadInstance) -> Live:
    """Look at a workload. The workload is read first: what its pods show is never older than its own status."""
    return look_around(cluster, instance, cluster.get(paths.workload(instance)))


def look_around(cluster: Cluster, instance: WorkloadInstance, workload: Json) -> Live:
    """Look at the history and the pods of a workload that was read already."""
    is_deployment = instance.kind is WorkloadKind.DEPLOYMENT
    history = paths.replicasets if is_deployment else paths.controllerrevisions
    selector = selector_text(workload["spec"]["selector"])
    kept = cluster.list(history(instance.namespace), labelSelector=selector)["items"]
    pods = cluster.list(paths.pods(instance.namespace), labelSelector=selector)["items"]
    return live(instance.kind, workload, kept, pods)
