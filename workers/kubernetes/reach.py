"""From an instance's identity to a driver that can reach it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.access import connect_cluster
from workers.kubernetes.driver import KubernetesDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.settings.clusters import ClusterSettings
    from controller.settings.numbers import Numbers
    from rules.instances import WorkloadInstance
    from workers.kubernetes.plan import Params
    from workers.kubernetes.releases import Recorded


def reach(
    instance: WorkloadInstance,
    clusters: Mapping[str, ClusterSettings],
    numbers: Numbers,
    params: Params,
    rollback_id: str,
    *,
    recorded: Callable[[], Recorded] = dict,
    clock: Callable[[], float] = time.time,
) -> KubernetesDriver:
    """Return the driver of one workload; its cluster is connected to when it is first asked for something.

    `recorded` is asked at most once: revision hash → container → digest, as noted while the revision was healthy.
    """
    settings = clusters.get(instance.cluster)
    if settings is None:
        known = ", ".join(sorted(clusters)) or "none"
        message = (
            f"the settings have no cluster {instance.cluster!r} (they have {known}): "
            "put it under `clusters:`, or cancel the rollback"
        )
        raise Permanent(Reason.CLUSTER_UNKNOWN, message)
    cluster = connect_cluster(instance.cluster, settings, numbers)
    return KubernetesDriver(cluster, instance, params, rollback_id, recorded=recorded, clock=clock)
