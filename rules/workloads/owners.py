"""From a pod or a ReplicaSet to the workload that owns it, by ownerReferences alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet
from rules.instances import WorkloadKind
from rules.workloads.answers import refused
from rules.workloads.names import KINDS, shortened

if TYPE_CHECKING:
    from rules.workloads.seen import Live, Owner, PodSeen, ReplicaSetSeen, WorkloadSeen

_HASH = "controller-revision-hash"
_SETTLES_S = 1.0


@dataclass(frozen=True, slots=True)
class Led:
    """Where a claim led to. `updated`: whether it is about the newest revision; None where that is not known.

    `unknown` says how it led there all the same, where that takes more than `by`.
    """

    by: str
    workload: WorkloadSeen
    updated: bool | None = True
    unknown: str = ""


def led_by_pod(by: str, pod: PodSeen, namespace: str, live: Live) -> Led:
    """Follow a live pod to its workload; raises `CannotTell` where it has none that can be rolled back."""
    owner = pod.owner
    if owner is not None and _is(owner, "ReplicaSet"):
        replica_set = live.replica_set(namespace, owner.name)
        if replica_set is None or replica_set.uid != owner.uid:
            raise refused(
                Reason.WORKLOAD_UNKNOWN, f"pod {pod.name} is an orphan: its ReplicaSet {owner.name} is gone"
            )
        return led_by_replica_set(by, replica_set, namespace, live)
    workload = _settled(_owning(f"pod {pod.name}", owner, namespace, live))
    carried = pod.labels.get(_HASH, "")
    newest = live.daemon_revision(workload) if workload.kind is WorkloadKind.DAEMONSET else workload.revision
    return Led(by, workload, carried == newest if carried and newest else None)


def led_by_replica_set(by: str, replica_set: ReplicaSetSeen, namespace: str, live: Live) -> Led:
    """Follow a ReplicaSet to its Deployment; raises `CannotTell` where it has none."""
    workload = _settled(_owning(f"ReplicaSet {replica_set.name}", replica_set.owner, namespace, live))
    if not (replica_set.revision and workload.revision):
        return Led(by, workload, updated=None)
    # A paused Deployment keeps its number while its template has moved on.
    moved_on = workload.paused and replica_set.template != workload.template
    return Led(by, workload, replica_set.revision == workload.revision and not moved_on)


def _settled(workload: WorkloadSeen) -> WorkloadSeen:
    """Return it once its controller has seen the newest template; until then what is updated cannot be told."""
    if workload.settled:
        return workload
    message = f"{workload.words} changed this moment, and its controller has not seen it yet; looked at again"
    raise NotYet(Reason.TARGET_BUSY, message, retry_after_s=_SETTLES_S)


def _owning(thing: str, owner: Owner | None, namespace: str, live: Live) -> WorkloadSeen:
    if owner is None:
        detail = f"{thing} belongs to no workload, so it has no earlier release; only a person can replace it"
        raise refused(Reason.WORKLOAD_UNKNOWN, detail)
    kind = KINDS.get(owner.kind.lower())
    if kind is None or not _is(owner, owner.kind):
        raise refused(Reason.WORKLOAD_UNKNOWN, foreign(thing, owner.kind, owner.name, owner.group))
    workload = live.workload(namespace, kind, owner.name)
    if workload is None or workload.uid != owner.uid:
        raise refused(Reason.WORKLOAD_UNKNOWN, f"{thing} is an orphan: its {kind} {owner.name} is gone")
    return workload


def foreign(thing: str, kind: str, name: str, group: str = "") -> str:
    """Say that something belongs to a kind that this version knows nothing of."""
    of = f" ({group})" if group and group not in {"apps", "batch"} else ""
    return (
        f"{thing} belongs to {shortened(kind).strip('`')} {name}{of}, which is no Deployment, StatefulSet or "
        "DaemonSet; roll it back with its own tool"
    )


def _is(owner: Owner, kind: str) -> bool:
    """Tell Kubernetes' own kinds from others of the same name."""
    return owner.group == "apps" and owner.kind == kind
