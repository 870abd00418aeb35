"""Doing the steps of a plan on a workload, and seeing what came of it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent, RollbackError
from rules.plans import StepKind
from workers.kubernetes import announcing, paths, writing
from workers.kubernetes.deleting import PodDeletion
from workers.kubernetes.failures import Conflict, Refused
from workers.kubernetes.marks import MANAGER
from workers.kubernetes.patches import change_patch, strip_patch
from workers.kubernetes.settling import RolloutWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.instances import WorkloadInstance
    from rules.plans import Step
    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.marks import Json

_STRIP_TRIES = 5
_SHORTLY_S = 0.05


class WorkloadSteps:
    """The steps of one rollback of one workload."""

    def __init__(
        self,
        cluster: Cluster,
        instance: WorkloadInstance,
        rollback: str,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._instance = instance
        self._path = paths.workload(instance)
        self._rollback = rollback
        self._clock = clock
        self._pause = pause
        self.newest: Json | None = None
        """The workload as it was read or written last: what a compare-and-set is made on."""

    def perform(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        """Do one step and say what was seen of it."""
        match step.kind:
            case StepKind.PATCH:
                return self._patch(step.values, fence, deadline_s)
            case StepKind.STRIP:
                return self._strip(step.values)
            case StepKind.ANNOUNCE:
                return self._announce(step.values)
            case StepKind.DELETE_PODS:
                deletion = PodDeletion(self._cluster, self._instance, self._clock, self._pause)
                return deletion.until_replaced(step.values, before, deadline_s)
            case StepKind.ROLLOUT:
                watch = RolloutWatch(self._cluster, self._instance, self._clock, self._pause)
                return watch.until_settled(step.values, before, deadline_s)
            case _:
                raise Permanent(
                    Reason.RECORD_UNREADABLE, f"a workload has no step {step.kind}: cancel this rollback"
                )

    def _patch(self, values: Mapping[str, Any], fence: int, deadline_s: float) -> Seen:
        """Write, again and again while only status or the number of pods moves under us: no try is counted."""
        again_until = time.monotonic() + deadline_s - 5
        now = self.newest or self._cluster.get(self._path)
        while not writing.is_written(values, now, self._rollback):
            writing.require_unchanged(values["was"], now, fence, self._rollback)
            try:
                now = self._write(values, now, fence)
                break
            except Conflict:
                if time.monotonic() > again_until:
                    raise
            self._pause(random.uniform(0, _SHORTLY_S))  # noqa: S311 - spreads tries, guards nothing
            now = self._cluster.get(self._path)
        self.newest = now
        metadata = now["metadata"]
        return {"generation": metadata.get("generation"), "resource_version": metadata["resourceVersion"]}

    def _write(self, values: Mapping[str, Any], now: Json, fence: int) -> Json:
        patch = change_patch(now, writing.change_of(values, now, fence, self._rollback))
        try:
            return self._cluster.patch(self._path, patch, field_manager=MANAGER)
        except Refused:
            # A workload that was made anew fails the patch's own test, and that is answered as a refusal.
            writing.require_unchanged(values["was"], self._cluster.get(self._path), fence, self._rollback)
            raise

    def _strip(self, values: Mapping[str, Any]) -> Seen:
        """Never fails a rollback: at worst the owner's next server-side apply needs `--force-conflicts`."""
        try:
            return {"stripped": self._stripped(str(values["uid"]))}
        except RollbackError as error:
            return {"stripped": False, "why": str(error)}

    def _stripped(self, uid: str) -> bool:
        workload = self.newest or self._cluster.get(self._path)
        for _ in range(_STRIP_TRIES):
            patch = strip_patch(workload)
            if patch is None or workload["metadata"]["uid"] != uid:
                return True
            try:
                self._cluster.patch(self._path, patch, field_manager=MANAGER)
            except Conflict:
                workload = self._cluster.get(self._path)
            else:
                return True
        return False

    def _announce(self, values: Mapping[str, Any]) -> Seen:
        """Never fails a rollback."""
        event = announcing.event(self._instance, values, self._rollback, self._clock())
        try:
            self._cluster.create(paths.events(self._instance.namespace), event)
        except Conflict:
            return {"event": event["metadata"]["name"], "found": "there already"}
        except RollbackError as error:
            return {"event": None, "why": str(error)}
        return {"event": event["metadata"]["name"]}
