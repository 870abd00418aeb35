"""A pod that is gone: who would have given a pod exactly this name, or what else the same alert is about.

Names are never cut. Each ReplicaSet, StatefulSet and DaemonSet that is there is asked whether the name is one that
it makes; only where one alone does, it is the pod's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.workloads.answers import CannotTell, refused
from rules.workloads.labels import named_by_labels, own_namespace
from rules.workloads.named import PodNamed
from rules.workloads.owners import Led, led_by_pod, led_by_replica_set
from rules.workloads.seen import WorkloadSeen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.alerts import Alert
    from rules.workloads.seen import Live, ReplicaSetSeen

_RANDOM = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What the API server puts behind a `generateName`, after cutting that to 58 characters."""
_LONGEST_BASE = 58
_ORDINAL = re.compile(r"0|[1-9][0-9]{0,9}")

OF_ONE_POD = frozenset(
    {
        *("pod", "exported_pod", "pod_name", "kubernetes_pod_name", "uid", "exported_uid"),
        *("instance", "exported_instance", "pod_ip", "host_ip", "ip", "address"),
        *("container_id", "exported_container_id", "id", "name"),
        *("node", "exported_node", "kubernetes_node", "nodename"),
    }
)
"""Labels in which two alerts differ that are about two pods of one thing."""


def generated(name: str, owner: str) -> bool:
    """Tell whether the API server makes this name for a pod of this ReplicaSet or DaemonSet."""
    base = f"{owner}-"[:_LONGEST_BASE]
    return name.startswith(base) and _RANDOM.fullmatch(name, len(base)) is not None


def numbered(name: str, owner: str) -> bool:
    """Tell whether this is the name of a pod of this StatefulSet."""
    base = f"{owner}-"
    return name.startswith(base) and _ORDINAL.fullmatch(name, len(base)) is not None


def led_by_gone_pod(claim: PodNamed, namespace: str, live: Live, alert: Alert, siblings: Sequence[Alert]) -> Led:
    """Say whose pod it was; raises `CannotTell` (pod-gone) where that is not known for certain."""
    makers = _makers(claim.name, namespace, live)
    if len(makers) == 1:
        return _made_by(claim, makers[0], namespace, live)
    by_siblings = None if makers else _led_by_siblings(claim, namespace, live, alert, siblings)
    if by_siblings is not None:
        return by_siblings
    raise refused(Reason.POD_GONE, _why(claim, namespace, makers))


def _makers(name: str, namespace: str, live: Live) -> list[ReplicaSetSeen | WorkloadSeen]:
    kinds = (WorkloadKind.STATEFULSET, WorkloadKind.DAEMONSET)
    return [
        *(one for one in live.replica_sets(namespace) if generated(name, one.name)),
        *(
            one
            for one in live.workloads(namespace, kinds)
            if (numbered if one.kind is WorkloadKind.STATEFULSET else generated)(name, one.name)
        ),
    ]


def _made_by(claim: PodNamed, maker: ReplicaSetSeen | WorkloadSeen, namespace: str, live: Live) -> Led:
    if isinstance(maker, WorkloadSeen):
        unknown = f"the pod {claim.name} ({claim.by}) is gone; {maker.words} makes pods of this name"
        return Led(claim.by, maker, updated=None, unknown=unknown)
    return led_by_replica_set(claim.by, maker, namespace, live)


def _led_by_siblings(
    claim: PodNamed, namespace: str, live: Live, alert: Alert, siblings: Sequence[Alert]
) -> Led | None:
    """Follow the pods of alerts that differ in nothing but their pod; None unless they lead to one workload."""
    found: dict[tuple[WorkloadKind, str], WorkloadSeen] = {}
    for sibling in siblings:
        if not _of_one_thing(alert.labels, sibling.labels):
            continue
        for pod in _pods_of(sibling):
            if (workload := _workload_of(pod, namespace, live)) is not None:
                found[workload.kind, workload.name] = workload
    if len(found) != 1:
        return None
    workload = next(iter(found.values()))
    unknown = f"the pod {claim.name} ({claim.by}) is gone; other alerts here are about {workload.words}"
    return Led(f"{claim.by} (by other alerts of the notification)", workload, updated=None, unknown=unknown)


def _of_one_thing(labels: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return {k: v for k, v in labels.items() if k not in OF_ONE_POD} == {
        k: v for k, v in others.items() if k not in OF_ONE_POD
    }


def _pods_of(alert: Alert) -> list[PodNamed]:
    try:
        named = named_by_labels(alert, own_namespace(alert))
    except CannotTell:
        return []
    return [claim for claim in named if isinstance(claim, PodNamed)]


def _workload_of(claim: PodNamed, namespace: str, live: Live) -> WorkloadSeen | None:
    pod = live.pod(namespace, claim.name)
    if pod is None:
        return None
    try:
        return led_by_pod(claim.by, pod, namespace, live).workload
    except CannotTell:
        return None


def _why(claim: PodNamed, namespace: str, makers: Sequence[ReplicaSetSeen | WorkloadSeen]) -> str:
    if makers:
        names = ", ".join(sorted(one.name for one in makers))
        why = f"several could have made it ({names})"
    else:
        why = "no ReplicaSet, StatefulSet or DaemonSet that is there makes such a name"
    return (
        f"pod {claim.name} ({claim.by}) is gone from {namespace}, and whose it was is not known: {why}. "
        "Give the alert a label deployment, statefulset or daemonset too"
    )
