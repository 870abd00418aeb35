"""One sweep over a cluster: what runs, since when and how well, is noted, and whose tags move is told.

What healthy workloads run is noted by digest, too. Where nothing happened since the last sweep, it costs a list of
each kind and nothing else: a workload that was looked at needs no other look until its resourceVersion changes, as
it does whenever one of its pods comes or goes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.ledger import Sweep, Unchanged
from rules.errors import Permanent
from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes import paths
from workers.kubernetes.failures import NotFound
from workers.kubernetes.images import digests_of, mutable_in, version_of
from workers.kubernetes.live import live
from workers.kubernetes.pods import is_ready
from workers.kubernetes.reading import look_around
from workers.kubernetes.rollout import Done, Waiting, judge
from workers.kubernetes.rostering import look_of
from workers.kubernetes.templates import first_image, images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from controller.ledger.sightings import Sightings
    from rules.seals import Key
    from workers.keeping import Keeper
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


def sweep(
    cluster: Cluster,
    sightings: Sightings,
    keeper: Keeper,
    clock: Callable[[], float] = time.time,
    *,
    sealed_by: Key | None = None,
) -> str:
    """Look a cluster over and note what is new; returns what it may not see, empty where it sees all.

    What is noted is sealed with a key, where there is one.
    Raises `Transient` where the cluster does not answer, `Permanent` where it lets us see nothing at all.
    """
    return _Sweep(cluster, sightings, keeper, clock, sealed_by).run()


@dataclass(slots=True)
class _Sweep:
    cluster: Cluster
    sightings: Sightings
    keeper: Keeper
    clock: Callable[[], float]
    sealed_by: Key | None
    _troubles: list[str] = field(default_factory=list)
    _hidden: set[str] = field(default_factory=set)
    """The namespaces whose pods we may not see."""
    _looked_at: dict[str, str] = field(default_factory=dict)
    _looks: int = 0

    def run(self) -> str:
        workloads = dict(self._workloads())
        marks = self.sightings.looked_at(self.cluster.name)
        before = {i: mark for i, mark in marks.items() if i in self.keeper.known}
        changed = [(i, workload) for i, workload in workloads.items() if before.get(i.id) != self._mark(workload)]
        self.keeper.note(*(Unchanged(i.id) for i, w in workloads.items() if before.get(i.id) == self._mark(w)))
        for instance, workload in sorted(changed, key=lambda one: one[0].id in before):  # the new ones first
            self._look(instance, workload)
        moving = {i.id: tags for i, w in workloads.items() if (tags := mutable_in(images(w["spec"]["template"])))}
        gone = () if self._troubles else tuple(marks.keys() - {instance.id for instance in workloads})
        few = dict(sorted(moving.items())[:_MOVING_MOST])
        self.keeper.write()
        if not self._troubles:
            self.keeper.strike_off({instance.id for instance in workloads})
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
        self._looks += 1
        try:
            found = look_around(self.cluster, instance, workload)
        except NotFound:
            return
        except Permanent as e:
            self._troubles.append(str(e))
            self._hidden.add(instance.namespace)
            return
        if self._note(instance, found):
            self._looked_at[instance.id] = self._mark(workload)

    def _note(self, instance: WorkloadInstance, found: Live) -> bool:
        """Note what was seen; returns whether it need not be looked at again before it changes."""
        look = look_of(instance, found, {}, round(self.clock() * 1000))
        if look is None:
            return False
        self.keeper.note(look)
        if not says_rolled_out(instance.kind, found.workload):
            return True  # it will be another one once it is
        verdict = judge(found)
        if isinstance(verdict, Done) and (seen := seen_running(found)):
            said = (instance.id, found.uid, seen.hash, seen.digests, seen.version)
            self.sightings.note(*said, sealed_by=self.sealed_by)
        return not isinstance(verdict, Waiting)  # its pods are a little ahead of what it says of itself

    def _mark(self, workload: Json) -> str:
        """Name a workload as it is, and as it was sealed: with a new key it is looked at again."""
        metadata = workload["metadata"]
        by = f"/{self.sealed_by.name}" if self.sealed_by else ""
        return f"{metadata['uid']}/{metadata.get('resourceVersion', '')}{by}"
