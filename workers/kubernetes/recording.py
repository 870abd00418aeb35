"""One sweep over a cluster: what its healthy workloads run is noted, by digest, and whose tags move is told.

Where nothing happened since the last sweep, it costs a list of each kind and nothing else: a workload that was
looked at needs no other look until its resourceVersion changes, as it does whenever one of its pods comes or goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.ledger import Sweep
from rules.errors import Permanent
from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes import paths
from workers.kubernetes.failures import NotFound
from workers.kubernetes.images import digests_of, mutable_in, version_of
from workers.kubernetes.live import live
from workers.kubernetes.pods import is_ready
from workers.kubernetes.reading import look_around
from workers.kubernetes.rollout import Done, Waiting, judge
from workers.kubernetes.templates import first_image, images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controller.ledger.sightings import Sightings
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_LOOKS_MOST = 100
"""So many workloads are looked at in one sweep; where more are new to us, the rest follows in the next."""
_MOVING_MOST = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """What a healthy revision runs."""

    hash: str
    digests: Mapping[str, str]
    version: str


def seen_running(found: Live) -> Seen | None:
    """Say what a workload that is rolled out runs; None where no digest is the same on all of its ready pods."""
    if found.current is None:
        return None
    ready = [pod for pod in found.current.pods if is_ready(pod)]
    digests = digests_of(ready, images(found.template))
    if not digests:
        return None
    return Seen(found.current.hash, digests, version_of(found.template, first_image(found.template)))


def says_rolled_out(kind: WorkloadKind, workload: Json) -> bool:
    """Whether a workload says of itself that there may be something to see; its pods are not asked yet."""
    alone = live(kind, workload, (), ())
    if not alone.is_caught_up:
        return False
    if kind is WorkloadKind.STATEFULSET:
        return int((workload.get("status") or {}).get("readyReplicas", 0)) >= (alone.replicas or 0)
    return isinstance(judge(alone), Done)


def sweep(cluster: Cluster, sightings: Sightings) -> str:
    """Look a cluster over and note what is new; returns what it may not see, empty where it sees all.

    Raises `Transient` where the cluster does not answer, `Permanent` where it lets us see nothing at all.
    """
    return _Sweep(cluster, sightings).run()


@dataclass(slots=True)
class _Sweep:
    cluster: Cluster
    sightings: Sightings
    _troubles: list[str] = field(default_factory=list)
    _hidden: set[str] = field(default_factory=set)
    """The namespaces whose pods we may not see."""
    _looked_at: dict[str, str] = field(default_factory=dict)
    _looks: int = 0

    def run(self) -> str:
        workloads = dict(self._workloads())
        before = self.sightings.looked_at(self.cluster.name)
        changed = [(i, workload) for i, workload in workloads.items() if before.get(i.id) != _mark(workload)]
        for instance, workload in sorted(changed, key=lambda one: one[0].id in before):  # the new ones first
            self._look(instance, workload)
        moving = {i.id: tags for i, w in workloads.items() if (tags := mutable_in(images(w["spec"]["template"])))}
        gone = () if self._troubles else tuple(before.keys() - {instance.id for instance in workloads})
        few = dict(sorted(moving.items())[:_MOVING_MOST])
        self.sightings.swept(self.cluster.name, Sweep(len(workloads), self._looked_at, gone, few, len(moving)))
        trouble = next(iter(self._troubles), "")
        if trouble:
            self.sightings.troubled(self.cluster.name, trouble)
        return trouble

    def _workloads(self) -> Iterator[tuple[WorkloadInstance, Json]]:
        refused: list[Permanent] = []
        places = [(namespace, kind) for namespace in self.cluster.namespaces or (None,) for kind in WorkloadKind]
        for namespace, kind in places:
            try:
                found: Iterable[Json] = self.cluster.list(paths.workloads(kind, namespace))["items"]
            except Permanent as e:
                refused.append(e)
                self._troubles.append(str(e))
                continue
            for workload in found:
                named = workload["metadata"]
                yield WorkloadInstance(self.cluster.name, named["namespace"], kind, named["name"]), workload
        if len(refused) == len(places):
            raise refused[0]

    def _look(self, instance: WorkloadInstance, workload: Json) -> None:
        if self._looks >= _LOOKS_MOST or instance.namespace in self._hidden:
            return
        if not says_rolled_out(instance.kind, workload):
            return
        self._looks += 1
        try:
            found = look_around(self.cluster, instance, workload)
        except NotFound:
            return
        except Permanent as e:
            self._troubles.append(str(e))
            self._hidden.add(instance.namespace)
            return
        if isinstance(verdict := judge(found), Waiting):
            return  # its pods are a little ahead of what it says of itself
        if isinstance(verdict, Done) and (seen := seen_running(found)):
            self.sightings.note(instance.id, found.uid, seen.hash, seen.digests, seen.version)
        self._looked_at[instance.id] = _mark(workload)


def _mark(workload: Json) -> str:
    return f"{workload['metadata']['uid']}/{workload['metadata'].get('resourceVersion', '')}"
