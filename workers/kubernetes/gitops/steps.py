"""Pausing an owner and letting it go on, each as a compare-and-set on the owner itself."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rules.plans import StepState
from workers.kubernetes import paths, writing
from workers.kubernetes.failures import Conflict, NotFound, Refused
from workers.kubernetes.gitops.finding import path_of
from workers.kubernetes.gitops.holding import (
    PAUSED,
    changed,
    is_ours,
    pause_patch,
    read_paused,
    release_patch,
    require_as_planned,
)
from workers.kubernetes.gitops.kinds import KINDS
from workers.kubernetes.marks import MANAGER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.ledger.suspensions import Suspensions
    from rules.instances import WorkloadInstance
    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.marks import Json

_SHORTLY_S = 0.05


class OwnerSteps:
    """The steps of one rollback that are about the owner of its workload.

    `suspensions` is told before a pause is written, so that no pause of ours is ever unknown to it.
    """

    def __init__(
        self,
        cluster: Cluster,
        instance: WorkloadInstance,
        rollback: str,
        *,
        suspensions: Suspensions | None = None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._instance = instance
        self._rollback = rollback
        self._suspensions = suspensions
        self._clock = clock
        self._pause = pause

    def try_pause(self, values: Mapping[str, Any]) -> None:
        """Ask the API server, in a dry run, whether it would take the pause."""
        owner = self._cluster.get(path_of(values))
        patch = self._pausing(owner, values, 0)
        if patch:
            free = [op for op in patch if op["path"] != "/metadata/resourceVersion"]
            self._cluster.patch(path_of(values), free, field_manager=MANAGER, dry_run=True)

    def paused(self, values: Mapping[str, Any]) -> StepState:
        """Tell whether a pause that somebody began was made."""
        try:
            owner = self._cluster.get(path_of(values))
        except NotFound:
            return StepState.NEITHER
        if owner["metadata"]["uid"] != values["uid"]:
            return StepState.NEITHER
        return StepState.DONE if self._is_held(owner, values) else StepState.NOT_DONE

    def pause(self, values: Mapping[str, Any], fence: int, deadline_s: float) -> Seen:
        """Pause the owner for as long as it and the workload are as planned; its status may move as it likes."""
        again_until = time.monotonic() + deadline_s - 5
        self._note(values)
        while True:
            owner = self._owner(values)
            if self._is_held(owner, values):
                return {"paused": True}
            # Read after the owner: who changed the workload, and let the owner go on, has changed the owner since.
            workload = self._cluster.get(paths.workload(self._instance))
            writing.require_unchanged(values["workload"], workload, fence, self._rollback)
            require_as_planned(owner, values, fence, self._instance.id)
            patch = self._pausing(owner, values, fence)
            if patch is None:
                self._forget(self._rollback)
                return {"paused": False, "found": "somebody else has paused it meanwhile: it is left as it is"}
            try:
                self._cluster.patch(path_of(values), patch, field_manager=MANAGER)
            except Conflict:
                if time.monotonic() > again_until:
                    raise
            except Refused:  # of another uid than was read, for one
                require_as_planned(self._owner(values), values, fence, self._instance.id)
                raise
            else:
                return {"paused": True}
            self._pause(random.uniform(0, _SHORTLY_S))  # noqa: S311 - spreads tries, guards nothing

    def resume(self, values: Mapping[str, Any], deadline_s: float) -> Seen:
        """Take our hold away, and with the last one put back what was; what is not ours any more stays."""
        rollback = str(values.get("rollback", self._rollback))
        found = release(
            self._cluster, values, self._instance.id, rollback, deadline_s=deadline_s, wait=self._pause
        )
        self._forget(rollback)
        return {"resumed": found}

    def _owner(self, values: Mapping[str, Any]) -> Json:
        try:
            return self._cluster.get(path_of(values))
        except NotFound as e:
            raise changed(f"{values['kind']} {values['name']} was deleted meanwhile") from e

    def _is_held(self, owner: Json, values: Mapping[str, Any]) -> bool:
        paused = is_ours(KINDS[values["kind"]], owner)
        hold = paused.holds.get(self._instance.id) if paused else None
        return hold is not None and hold.get("rollback") == self._rollback

    def _pausing(self, owner: Json, values: Mapping[str, Any], fence: int) -> list[dict[str, Any]] | None:
        hold = {
            "rollback": self._rollback,
            "by": values["who"],
            "why": values["why"],
            "since": _iso(self._clock()),
            "fence": fence,
            "bad": values["bad"],
            **values["known"],
        }
        return pause_patch(KINDS[values["kind"]], owner, self._instance.id, hold)

    def _note(self, values: Mapping[str, Any]) -> None:
        if self._suspensions is None:
            return
        entry = {
            "owner": owner_id(self._instance, values),
            "rollback": self._rollback,
            "since": _iso(self._clock()),
            "annotation": PAUSED,
            "bad": values["bad"]["release"],
            **{key: values[key] for key in ("kind", "namespace", "name", "path", "uid")},
        }
        self._suspensions.note(self._instance.id, entry)

    def _forget(self, rollback: str) -> None:
        if self._suspensions is not None:
            self._suspensions.forget(self._instance.id, rollback)


def release(
    cluster: Cluster,
    values: Mapping[str, Any],
    instance: str,
    rollback: str,
    *,
    every: bool = False,
    deadline_s: float = 10,
    wait: Callable[[float], None] = time.sleep,
) -> str:
    """Take the hold of a rollback (or `every` one) off an owner, and say what came of it."""
    kind, again_until = KINDS[values["kind"]], time.monotonic() + deadline_s - 5
    while True:
        try:
            owner = cluster.get(path_of(values))
        except NotFound:
            return "it is gone"
        paused = read_paused(owner)
        if paused is None or owner["metadata"]["uid"] != values["uid"]:
            return "no pause of ours is on it any more"
        if not every and (paused.holds.get(instance) or {}).get("rollback") != rollback:
            return "no pause of this rollback is on it any more"
        ours = is_ours(kind, owner) is not None
        try:
            cluster.patch(
                path_of(values), release_patch(kind, owner, instance, every=every), field_manager=MANAGER
            )
        except Conflict:
            if time.monotonic() > again_until:
                raise
            wait(random.uniform(0, _SHORTLY_S))  # noqa: S311 - spreads tries, guards nothing
            continue
        if not ours:
            return "somebody changed the field since: it is left as it is"
        return "as it was" if every or len(paused.holds) == 1 else "another rollback still needs it paused"


def owner_id(instance: WorkloadInstance, values: Mapping[str, Any]) -> str:
    """Identify an owner to people and to the ledger: `CLUSTER/KIND/NAMESPACE/NAME`."""
    return "/".join((instance.cluster, str(values["kind"]).lower(), values["namespace"], values["name"]))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
