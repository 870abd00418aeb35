"""From what the API says of pods, ReplicaSets and workloads to what `rules.workloads` knows of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.instances import WorkloadKind
from rules.workloads.seen import Owner, PodSeen, ReplicaSetSeen, WorkloadSeen
from workers.kubernetes.pods import owner_of
from workers.kubernetes.templates import writable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Json = Mapping[str, Any]

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"


def pod_seen(pod: Json) -> PodSeen:
    """Read a pod."""
    metadata = pod["metadata"]
    return PodSeen(metadata["name"], _owner(pod), metadata.get("labels") or {}, metadata["uid"])


def replica_set_seen(replica_set: Json) -> ReplicaSetSeen:
    """Read a ReplicaSet."""
    metadata = replica_set["metadata"]
    revision = (metadata.get("annotations") or {}).get(_REVISION, "")
    template = writable(replica_set["spec"]["template"])
    return ReplicaSetSeen(metadata["name"], _owner(replica_set), metadata["uid"], revision, template)


def workload_seen(kind: WorkloadKind, workload: Json) -> WorkloadSeen:
    """Read a workload."""
    metadata, spec, status = workload["metadata"], workload["spec"], workload.get("status") or {}
    template = writable(spec["template"])
    revision = (metadata.get("annotations") or {}).get(_REVISION, "")
    return WorkloadSeen(
        namespace=metadata["namespace"],
        kind=kind,
        name=metadata["name"],
        uid=metadata["uid"],
        labels=metadata.get("labels") or {},
        template_labels=template.get("metadata", {}).get("labels") or {},
        revision=status.get("updateRevision", "") if kind is WorkloadKind.STATEFULSET else revision,
        settled=int(status.get("observedGeneration", 0)) >= int(metadata.get("generation", 0)),
        paused=bool(spec.get("paused")),
        template=template,
    )


def newest_hash(workload: WorkloadSeen, revisions: Iterable[Json]) -> str:
    """Return the hash that pods of a workload's newest ControllerRevision carry; empty where it owns none."""
    owned = [one for one in revisions if owner_of(one).get("uid") == workload.uid]
    newest = max(owned, key=lambda one: int(one["revision"]), default=None)
    if newest is None:
        return ""
    metadata = newest["metadata"]
    return str((metadata.get("labels") or {}).get(_HASH) or metadata["name"].removeprefix(f"{workload.name}-"))


def _owner(obj: Json) -> Owner | None:
    found = owner_of(obj)
    if not found:
        return None
    group, _, _ = found.get("apiVersion", "").rpartition("/")
    return Owner(group, found.get("kind", ""), found.get("name", ""), found.get("uid", ""))
