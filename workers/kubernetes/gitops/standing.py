"""How a workload stands with whoever keeps it as Git wants it: refused, forced, or its owner paused first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from rules.rule import Gitops
from workers.kubernetes.gitops.finding import find_owner
from workers.kubernetes.gitops.holding import is_ours
from workers.kubernetes.gitops.naming import owner_named
from workers.kubernetes.gitops.planning import pause_step, paused_by_others, resume_step, sync_under_way
from workers.kubernetes.ownership import ownership_of
from workers.kubernetes.templates import sha_of

if TYPE_CHECKING:
    from rules.instances import WorkloadInstance
    from rules.plans import Step
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.gitops.finding import Owner
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json
    from workers.kubernetes.ownership import Ownership
    from workers.kubernetes.plan import Params


@dataclass(frozen=True, slots=True)
class Standing:
    """What is done about the owner, before the change or after it, and what a person should know."""

    pause: Step | None = None
    resume: Step | None = None
    notes: tuple[str, ...] = ()


def require_allowed(live: Live, gitops: Gitops) -> Ownership:
    """Return who else decides about a workload; raises `Permanent` where the rule refuses to act then."""
    owner = ownership_of(live.workload)
    if owner.reconciler and gitops is Gitops.REFUSE:
        message = (
            f"{owner.reconciler} keeps {live.kind} {live.name} as it wants it, and would undo this: "
            "go back there, or let the rule say `guards: {gitops: pause}`, or `force`"
        )
        raise Permanent(Reason.GITOPS_OWNED, message)
    return owner


def standing(
    cluster: Cluster,
    instance: WorkloadInstance,
    params: Params,
    live: Live,
    owner: Ownership,
    goal: Json | None,
    to_release: str,
) -> Standing:
    """Read whoever keeps the workload, where the rule says that it is paused; asks nothing otherwise."""
    if not owner.reconciler or params.gitops is not Gitops.PAUSE:
        return Standing(notes=owner.notes)
    found = find_owner(cluster, owner_named(live.workload, instance, owner.reconciler), instance)
    if goal is not None and (earlier := _paused_against(found, instance, goal, to_release)):
        return Standing(resume=resume_step(found, earlier), notes=(owner.note,) if owner.note else ())
    step = pause_step(found, live, goal, params.who, params.why)
    left = paused_by_others(found) if step is None else ""
    return Standing(step, notes=tuple(note for note in (left, sync_under_way(found), owner.note) if note))


def _paused_against(owner: Owner, instance: WorkloadInstance, goal: Json, to_release: str) -> str:
    """Return the rollback that paused the owner to keep away the release that is gone to now, as an undo does.

    A release whose pods are gone comes back pinned to its digests: another template, under the same name.
    """
    paused = is_ours(owner.named.kind, owner.found)
    hold = paused.holds.get(instance.id) if paused else None
    if hold is None:
        return ""
    same = sha_of(goal) == hold["bad"]["sha"] or to_release == hold["bad"]["release"]
    return str(hold["rollback"]) if same else ""
