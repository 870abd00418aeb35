"""Pausing and resuming an owner as steps of a plan. Pure: the same look gives the same steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.plans import Plan, Step, StepKind
from workers.kubernetes.gitops.desire import wanted
from workers.kubernetes.gitops.holding import is_ours
from workers.kubernetes.gitops.kinds import reconciles, wants_sum
from workers.kubernetes.templates import images
from workers.kubernetes.writing import planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.kubernetes.gitops.finding import Owner
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json


def pause_step(owner: Owner, live: Live, goal: Json | None, who: str, why: str) -> Step | None:
    """Return the step that pauses an owner before the workload is changed; None where somebody has paused it."""
    kind, found = owner.named.kind, owner.found
    ours = is_ours(kind, found)
    if ours is None and not reconciles(kind, found):
        return None
    bad = {"release": live.running or "", "images": bad_images(live.template, goal), "sha": live.sha}
    was = planned(live.workload)
    was["spec"].pop("template")
    joins = ", which is paused already for another workload" if ours else f": {kind.does}"
    return Step(
        StepKind.PAUSE_OWNER,
        does=f"pause {owner.named}{joins}",
        way_back=f"resume {owner.named} as it was, unless another rollback needs it paused",
        values={
            "kind": kind.name,
            "namespace": owner.named.namespace,
            "name": owner.named.name,
            "path": owner.path,
            "uid": found["metadata"]["uid"],
            "wants": wants_sum(found),
            "bad": bad,
            "known": wanted(kind, found, bad["images"]),
            "workload": was,
            "who": who,
            "why": why,
        },
    )


def paused_by_others(owner: Owner) -> str:
    """Say that somebody else's pause is left as it is."""
    return f"{owner.named} was paused already, and not by us: it is left as it is"


def sync_under_way(owner: Owner) -> str:
    """Say that a pause does not stop what was begun before it; empty where nothing is known to be under way."""
    operation = (owner.found.get("status") or {}).get("operationState") or {}
    if operation.get("phase") != "Running":
        return ""
    return f"a sync of {owner.named} is under way, which a pause does not stop: it may still undo this"


def bad_images(template: Json, goal: Json | None) -> list[str]:
    """Return the images that are gone away from: all of them where nothing takes their place."""
    kept = {*images(goal).values()} if goal is not None else set()
    return sorted({*images(template).values()} - kept)


def with_owner(plan: Plan, pause: Step | None = None, resume: Step | None = None) -> Plan:
    """Put a pause before everything else, and a resume after the change: before the last, which watches."""
    before = (pause,) if pause else ()
    *steps, last = plan.steps
    after = (resume, last) if resume else (last,)
    return Plan(plan.instance, plan.from_release, plan.to_release, plan.arrival, (*before, *steps, *after))


def with_resume(way_back: Plan, plan: Plan) -> Plan:
    """Let a way back resume what its plan paused, once the workload is what its owner wants again."""
    paused = next((step for step in plan.steps if step.kind is StepKind.PAUSE_OWNER), None)
    if paused is None:
        return way_back
    values = {key: paused.values[key] for key in ("kind", "namespace", "name", "path", "uid")}
    return with_owner(way_back, resume=_resume(paused.way_back, values))


def resume_step(owner: Owner, rollback: str) -> Step:
    """Return the step that takes the hold of an earlier rollback away: what it went away from is gone back to."""
    kind, metadata = owner.named.kind, owner.found["metadata"]
    place = {"kind": kind.name, "namespace": owner.named.namespace, "name": owner.named.name, "path": owner.path}
    does = f"resume {owner.named}, which rollback {rollback} paused, unless another needs it paused"
    return _resume(does, {**place, "uid": metadata["uid"], "rollback": rollback})


def _resume(does: str, values: Mapping[str, Any]) -> Step:
    return Step(
        StepKind.RESUME_OWNER,
        does=does,
        way_back="nothing to take back: its owner goes on as before",
        values=values,
    )
