"""Looks up which workloads a person means; what it means is decided in `rules.workloads.by_hand`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.workloads.answers import CannotTell
from rules.workloads.by_hand import choose_workloads, located
from workers.kubernetes.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rules.instances import WorkloadInstance
    from rules.targets import Located
    from rules.workloads.by_hand import Wanted
    from rules.workloads.seen import WorkloadSeen
    from workers.kubernetes.access import Cluster


def find_wanted(clusters: Callable[[str], Cluster], names: Sequence[str], wanted: Wanted) -> tuple[Located, ...]:
    """Return the workloads that are meant, of the configured clusters, which are called `names`.

    Raises `Permanent` where there are none, `Transient` where that cannot be seen now.
    """
    try:
        if wanted.instances:
            found = (_one(clusters, wanted.service, instance) for instance in dict.fromkeys(wanted.instances))
            return tuple(found)
        where = (wanted.cluster,) if wanted.cluster else names
        return choose_workloads(wanted, {name: _all(clusters(name), wanted.namespace) for name in where})
    except CannotTell as answer:
        raise Permanent(answer.decision.reason, answer.decision.detail) from answer


def _one(clusters: Callable[[str], Cluster], service: str, instance: WorkloadInstance) -> Located:
    with closing(Looking(clusters(instance.cluster))) as looking:
        found = looking.workload(instance.namespace, instance.kind, instance.name)
    if found is None:
        raise Permanent(
            Reason.WORKLOAD_UNKNOWN, f"there is no {instance.label}; correct the name or the namespace"
        )
    return located(service, instance.cluster, found)


def _all(cluster: Cluster, namespace: str) -> Sequence[WorkloadSeen]:
    with closing(Looking(cluster)) as looking:
        return looking.workloads(namespace or None, tuple(WorkloadKind))
