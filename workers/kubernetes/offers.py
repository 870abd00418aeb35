"""What a workload can be brought to besides its own releases: asked of the cluster only where a rule offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rules.instances import WorkloadInstance, WorkloadKind
from rules.observations import Offer
from rules.to import SameAs, ScaleToZero, to_word
from workers.kubernetes import paths, same_as, scaling
from workers.kubernetes.failures import Forbidden, NotFound
from workers.kubernetes.plan import Goal
from workers.kubernetes.reading import look_around
from workers.kubernetes.selectors import selector_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.observations import Drop
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json
    from workers.kubernetes.plan import Params

Found: TypeAlias = "Goal | Drop"


class Offers:
    """Finds out what the entries of `to` that are not in a history come to."""

    def __init__(self, cluster: Cluster, instance: WorkloadInstance, params: Params) -> None:
        self._cluster = cluster
        self._instance = instance
        self._params = params

    def of(self, live: Live) -> Mapping[str, Found]:
        """Return the goal, or the refusal, of each such entry, by its word."""
        return {
            to_word(entry): self._one(entry, live)
            for entry in self._params.to
            if isinstance(entry, SameAs | ScaleToZero)
        }

    def _one(self, entry: SameAs | ScaleToZero, live: Live) -> Found:
        try:
            return self._same_as(entry, live) if isinstance(entry, SameAs) else self._zero(live)
        except Forbidden as error:
            return error.reason, str(error)

    def _same_as(self, entry: SameAs, live: Live) -> Found:
        words = to_word(entry).removeprefix("same-as ")
        for kinds in _nearest_first(live.kind):
            found = [
                (kind, workload)
                for kind in kinds
                for workload in same_as.candidates(self._workloads(kind), entry.labels, live)
            ]
            if found:
                break
        stable = same_as.one_of([workload for _, workload in found], live, words)
        if isinstance(stable, tuple):
            return stable
        other = WorkloadInstance(
            self._instance.cluster, self._instance.namespace, found[0][0], str(stable["metadata"]["name"])
        )
        return same_as.goal_of(look_around(self._cluster, other, stable), live, self._params.pin)

    def _workloads(self, kind: WorkloadKind) -> list[Json]:
        found: list[Json] = self._cluster.list(paths.workloads(kind, self._instance.namespace))["items"]
        return found

    def _zero(self, live: Live) -> Found:
        namespace = self._instance.namespace
        if drop := scaling.why_not_countable(live) or scaling.why_scaled_by_others(live, self._scaled_objects()):
            return drop
        services = self._cluster.list(paths.services(namespace))["items"]
        for name, selector in scaling.services_of(live, services).items():
            text = selector_text({"matchLabels": selector})
            pods = self._cluster.list(paths.pods(namespace), labelSelector=text)["items"]
            if drop := scaling.why_left_empty(live, name, pods):
                return drop
        return scaling.ZERO

    def _scaled_objects(self) -> list[Json]:
        """Return KEDA's objects; a cluster that does not know their kind has none."""
        try:
            found: list[Json] = self._cluster.list(paths.scaledobjects(self._instance.namespace))["items"]
        except NotFound:
            return []
        return found


def offer_of(found: Found) -> Offer:
    """Return what the core chooses from."""
    if isinstance(found, Goal):
        return Offer(found.release, note="; ".join(found.notes))
    return Offer(refused=found)


def _nearest_first(kind: WorkloadKind) -> tuple[tuple[WorkloadKind, ...], ...]:
    """Return the workload's own kind, then the others."""
    return (kind,), tuple(other for other in WorkloadKind if other is not kind)
