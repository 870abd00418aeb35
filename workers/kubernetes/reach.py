"""From an instance's identity to a driver that can reach it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workers.kubernetes.driver import KubernetesDriver

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.instances import WorkloadInstance
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.plan import Params
    from workers.kubernetes.releases import Recorded


def reach(
    instance: WorkloadInstance,
    cluster: Cluster,
    params: Params,
    rollback_id: str,
    *,
    recorded: Callable[[], Recorded] = dict,
    clock: Callable[[], float] = time.time,
) -> KubernetesDriver:
    """Return the driver of one workload; its cluster is connected to when it is first asked for something.

    `recorded` is asked at most once: revision hash → container → digest, as noted while the revision was healthy.
    """
    return KubernetesDriver(cluster, instance, params, rollback_id, recorded=recorded, clock=clock)
