"""What is live in a cluster, as far as it takes to find a workload; and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rules.instances import WorkloadKind


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner that controls an object (`controller: true`): one at most."""

    group: str
    """The API group, like `apps`; empty for the core group."""
    kind: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True)
class PodSeen:
    """A pod."""

    name: str
    owner: Owner | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    uid: str = ""


@dataclass(frozen=True, slots=True)
class ReplicaSetSeen:
    """A ReplicaSet. `revision` is its Deployment's number for it; `template` comes without the hash label."""

    name: str
    owner: Owner | None = None
    uid: str = ""
    revision: str = ""
    template: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class WorkloadSeen:
    """A workload. `labels` are its own, `template_labels` those that its pods get.

    `revision` pins what its updated pods carry: a Deployment's revision number, a StatefulSet's updateRevision.
    While it is not `settled`, its controller has not seen its newest template yet.
    """

    namespace: str
    kind: WorkloadKind
    name: str
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    template_labels: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    settled: bool = True
    paused: bool = False
    template: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def words(self) -> str:
        """What people call it."""
        return f"{self.kind} {self.name} in {self.namespace}"


class Live(Protocol):
    """One cluster, looked at. What does not exist is None; whatever else goes wrong is raised.

    Every name that comes in here was checked as a legal one.
    """

    def pod(self, namespace: str, name: str) -> PodSeen | None:
        """Look at one pod."""

    def replica_set(self, namespace: str, name: str) -> ReplicaSetSeen | None:
        """Look at one ReplicaSet."""

    def replica_sets(self, namespace: str) -> Sequence[ReplicaSetSeen]:
        """Look at all ReplicaSets of a namespace, those of past revisions too."""

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadSeen | None:
        """Look at one workload."""

    def workloads(self, namespace: str | None, kinds: Sequence[WorkloadKind]) -> Sequence[WorkloadSeen]:
        """Look at all workloads of these kinds in a namespace; None means in every one."""

    def daemon_revision(self, daemon_set: WorkloadSeen) -> str:
        """Return the hash that the updated pods of a DaemonSet carry; empty where it has no history."""
