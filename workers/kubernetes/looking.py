"""One cluster, looked at for one job: each thing is asked for once, and many pods together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from rules.decisions import Reason
from rules.instances import WorkloadInstance, WorkloadKind
from rules.workloads.answers import refused
from rules.workloads.seen import PodSeen, ReplicaSetSeen, WorkloadSeen
from workers.kubernetes import paths
from workers.kubernetes.failures import (
    ApiError,
    BadCertificate,
    Forbidden,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
)
from workers.kubernetes.selectors import selector_text
from workers.kubernetes.translating import newest_hash, pod_seen, replica_set_seen, workload_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rules.errors import RollbackError
    from workers.kubernetes.access import Cluster

Json = dict[str, Any]
Seen = TypeVar("Seen")

_OF_THE_CLUSTER = (Unreachable, Throttled, ApiError, Unauthorized, BadCertificate)
_FAILED_IN_A_ROW = 2
"""So many questions without an answer are no longer taken for the questions' fault."""


class Looking:
    """What a cluster says, by the names that `rules.workloads` asks with; see `rules.workloads.seen.Live`.

    What could not be answered is not asked again: a cluster that hangs costs a job two calls and not two for each
    alert. What was answered before stays known.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._answers: dict[str, Any] = {}
        self._failures: dict[str, RollbackError] = {}
        self._in_a_row = 0
        self._trouble: RollbackError | None = None
        self._pods: dict[str, dict[str, PodSeen]] = {}

    def look_at_all_pods(self, namespace: str) -> None:
        """Read the pods of a namespace in one go: more of them will be asked for than that costs."""
        if namespace not in self._pods:
            self._pods[namespace] = {
                pod.name: pod for pod in self._all(paths.pods(namespace), namespace, pod_seen)
            }

    def pod(self, namespace: str, name: str) -> PodSeen | None:
        """Look at one pod."""
        if namespace in self._pods:
            return self._pods[namespace].get(name)
        return self._one(paths.pods(namespace, name), namespace, pod_seen)

    def replica_set(self, namespace: str, name: str) -> ReplicaSetSeen | None:
        """Look at one ReplicaSet."""
        return self._one(paths.replicasets(namespace, name), namespace, replica_set_seen)

    def replica_sets(self, namespace: str) -> Sequence[ReplicaSetSeen]:
        """Look at all ReplicaSets of a namespace."""
        return self._all(paths.replicasets(namespace), namespace, replica_set_seen)

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadSeen | None:
        """Look at one workload."""
        path = paths.workload(WorkloadInstance(self._cluster.name, namespace, kind, name))
        return self._one(path, namespace, partial(workload_seen, kind))

    def workloads(self, namespace: str | None, kinds: Sequence[WorkloadKind]) -> Sequence[WorkloadSeen]:
        """Look at all workloads of these kinds in a namespace; None means in every one that we are to look at."""
        where = (namespace,) if namespace is not None else self._cluster.namespaces or (None,)
        found: list[WorkloadSeen] = []
        for place in where:
            for kind in kinds:
                found += self._all(paths.workloads(kind, place), place, partial(workload_seen, kind))
        return found

    def daemon_revision(self, daemon_set: WorkloadSeen) -> str:
        """Return the hash that the updated pods of a DaemonSet carry."""
        instance = WorkloadInstance(self._cluster.name, daemon_set.namespace, daemon_set.kind, daemon_set.name)
        found = self._answer(paths.workload(instance), self._cluster.get) or {}
        selector = selector_text((found.get("spec") or {}).get("selector") or {})
        path = paths.controllerrevisions(daemon_set.namespace)
        revisions = (
            self._answer(path, lambda path: self._cluster.list(path, labelSelector=selector), selector) or {}
        )
        return newest_hash(daemon_set, revisions.get("items") or ())

    def close(self) -> None:
        """Let go of the connection."""
        self._cluster.close()

    def _one(self, path: str, namespace: str, read: Callable[[Json], Seen]) -> Seen | None:
        self._check_place(namespace)
        found = self._answer(path, self._cluster.get)
        return None if found is None else read(found)

    def _all(self, path: str, namespace: str | None, read: Callable[[Json], Seen]) -> list[Seen]:
        self._check_place(namespace)
        found = self._answer(path, self._cluster.list) or {}
        return [read(one) for one in found.get("items") or ()]

    def _answer(self, path: str, ask: Callable[[str], Json], more: str = "") -> Json | None:
        key = f"{path} {more}"
        if key not in self._answers:
            if (known := self._failures.get(key, self._trouble)) is not None:
                raise known.with_traceback(None)
            self._answers[key] = self._asked(key, path, ask)
        found: Json | None = self._answers[key]
        return found

    def _asked(self, key: str, path: str, ask: Callable[[str], Json]) -> Json | None:
        """Ask, and remember what fails; one question may be too much for a cluster that answers all others."""
        try:
            found = ask(path)
        except NotFound:
            found = None
        except Forbidden as error:
            self._failures[key] = error
            raise
        except _OF_THE_CLUSTER as error:
            self._failures[key] = error
            self._in_a_row += 1
            if self._in_a_row >= _FAILED_IN_A_ROW:
                self._trouble = error
            raise
        self._in_a_row = 0
        return found

    def _check_place(self, namespace: str | None) -> None:
        """Look nowhere where the settings do not let us."""
        outside = closed_to_us(self._cluster.name, self._cluster.namespaces, namespace)
        if outside is None:
            return
        detail = (
            f"{outside}; add it to `clusters.{self._cluster.name}.namespaces` "
            "(with Helm, for the cluster that it runs in: `targets.namespaces`)"
        )
        raise refused(Reason.WORKLOAD_UNKNOWN, detail)


def closed_to_us(cluster: str, allowed: Sequence[str], namespace: str | None) -> str | None:
    """Say that the settings do not let us into a namespace; None where they do, or name none."""
    if namespace is None or not allowed or namespace in allowed:
        return None
    named = ", ".join(allowed)
    return f"namespace {namespace} of cluster {cluster} is none of those that the settings name ({named})"
