"""What going back takes, step by step, as values. Pure: the same look gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import Plan, Step, StepKind
from rules.rule import Gitops, Pin, Restore, WhenPaused
from rules.to import Previous
from workers.kubernetes import marks, rollout, templates
from workers.kubernetes.pods import is_leaving, is_ready
from workers.kubernetes.writing import planned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.instances import WorkloadInstance
    from rules.to import To
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_LOOKS_ONLY = "nothing to take back: it only looks"


@dataclass(frozen=True, slots=True)
class Params:
    """What the rule says about how to carry a rollback out. `who` asked for it, and `why`."""

    to: tuple[To, ...] = (Previous(),)
    restore: Restore = Restore.AUTO
    pin: Pin = Pin.AUTO
    gitops: Gitops = Gitops.REFUSE
    when_paused: WhenPaused = WhenPaused.HOLD
    evidence_logs_s: float = 1800.0
    healthy_within_s: float = 300.0
    steady_s: float = 10.0
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a workload is to run: a template, or no pods at all. `digests` is what its pods must be seen to run."""

    release: str
    template: Json | None = None
    replicas: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def make_plan(
    instance: WorkloadInstance,
    params: Params,
    live: Live,
    goal: Goal,
    notes: tuple[str, ...] = (),
    *,
    stored: str = "",
) -> Plan:
    """Say what reaching a goal takes, from where the workload stands now.

    `stored` is the sum of the template that the API server makes of the goal's, where that is known to be
    another: whoever watches or takes over compares with what is there, and not with what was sent.
    """
    if goal.template is not None and stored == live.sha:
        message = (
            f"an admission webhook makes of {goal.release} the template that {live.name} has already: "
            "look at what it changes, or go back by hand"
        )
        raise Permanent(Reason.TARGET_REFUSED, message)
    resumes = live.is_paused and params.when_paused is WhenPaused.RESUME
    change = {
        "template": goal.template,
        "sha": stored or (templates.sha_of(goal.template) if goal.template is not None else live.sha),
        "replicas": goal.replicas if goal.template is None else marks.count_kept(live.workload),
        "paused": False if resumes else None,
    }
    target = {"release": goal.release, "digests": dict(goal.digests), "notes": [*goal.notes, *notes]}
    return _plan(instance, params, live, {**change, **target, "settled": "healthy"})


def make_way_back(instance: WorkloadInstance, params: Params, live: Live, plan: Plan, *, stored: str = "") -> Plan:
    """Say what undoing a plan takes.

    Only while the workload still is what the plan made it, or what it was: anything else is somebody's work.
    What is gone back to is what was bad: it is enough that the controller takes it up.
    """
    patched: Mapping[str, Any] = next(step for step in plan.steps if step.kind is StepKind.PATCH).values
    was: Any = patched["was"]
    if live.uid != was["metadata"]["uid"] or live.sha not in (patched["sha"], was["sha"]):
        message = f"{live.name} holds another template by now, which is not our doing: decide by hand"
        raise Permanent(Reason.CHANGED_MEANWHILE, message)
    spec = was["spec"]
    change = {
        "template": spec["template"] if patched["template"] is not None else None,
        "sha": stored or was["sha"],
        "replicas": _count_back(live, patched["replicas"], spec["replicas"]),
        "paused": spec["paused"] if patched["paused"] is not None else None,
    }
    release = plan.from_release or f"revision {plan.arrival.split('/')[1]}"
    target: dict[str, Any] = {**change, "release": release, "digests": {}, "notes": [], "settled": "taken-up"}
    if live.sha == was["sha"] and live.replicas == spec["replicas"]:
        return Plan(instance.id, live.running, release, live.arrival, (_rollout(params, live, target),))
    return _plan(instance, params, live, target)


def _count_back(live: Live, made: int | None, was: int | None) -> int | None:
    """Return the count to put back; None where none was changed, or where somebody set another since."""
    if made is None or (made == 0 and live.replicas != 0):
        return None
    return was


def _plan(instance: WorkloadInstance, params: Params, live: Live, target: dict[str, Any]) -> Plan:
    steps = [_patch(params, live, target), _strip(live), _announce(params, live, target)]
    if target["template"] is not None and (how := _by_hand(live)):
        steps.append(_delete_pods(params, live, target, how))
    steps.append(_rollout(params, live, target))
    return Plan(instance.id, live.running, str(target["release"]), live.arrival, tuple(steps))


def _patch(params: Params, live: Live, target: dict[str, Any]) -> Step:
    what = f"{live.kind} {live.name}"
    count = "zero" if target["replicas"] == 0 else target["replicas"]
    if target["template"] is not None:
        does = f"write the pod template of {target['release']} into {what}"
        back = f"write the pod template of {live.running} into {what} again"
        if count is not None:
            does, back = f"{does}, and scale it to {count}", f"{back}, and scale it to {live.replicas}"
    elif count is not None:
        does, back = f"scale {what} to {count}", f"scale {what} to {live.replicas} again"
    else:
        does, back = f"note on {what} that it runs {target['release']} again", _LOOKS_ONLY
    if target["paused"] is False:
        does, back = f"{does}, and resume its rollout", f"{back}, and pause its rollout"
    words = {"from": live.running, "effect": live.arrival, "who": params.who, "why": params.why}
    return Step(
        StepKind.PATCH, does=does, way_back=back, values={**target, **words, "was": planned(live.workload)}
    )


def _strip(live: Live) -> Step:
    return Step(
        StepKind.STRIP,
        does=f"take our entry out of the managedFields of {live.kind} {live.name}, for its owner's next apply",
        way_back="nothing to take back: it only says who wrote last",
        values={"uid": live.uid},
    )


def _announce(params: Params, live: Live, target: dict[str, Any]) -> Step:
    by = f" by {params.who}" if params.who else ""
    because = f": {params.why}" if params.why else ""
    return Step(
        StepKind.ANNOUNCE,
        does=f"say so in an Event on {live.kind} {live.name}",
        way_back="nothing to take back: it is a note for people",
        values={
            "uid": live.uid,
            "message": f"taken back from {live.running} to {target['release']}{by}{because}",
            "undoes": target["settled"] == "taken-up",
        },
    )


def _by_hand(live: Live) -> str:
    """Say in which way pods have to be deleted for the workload to take a change up; empty where it does that."""
    if rollout.is_on_delete(live.workload):
        return "on-delete"
    ordered = live.workload["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    return "stuck" if live.kind is WorkloadKind.STATEFULSET and ordered else ""


def _stuck(live: Live, template: Json) -> list[str]:
    """Return the hashes of other revisions than the target's with pods that are not ready: each may be in the way.

    Not only the present one's: where a release was deployed over one that was stuck already, none of its own
    pods may have been made yet.
    """
    wanted = templates.writable(template)
    return sorted(
        revision.on_pods
        for revision in live.revisions
        if revision is not live.current
        and templates.writable(revision.template) != wanted
        and any(not is_ready(pod) and not is_leaving(pod) for pod in revision.pods)
    )


def _delete_pods(params: Params, live: Live, target: dict[str, Any], how: str) -> Step:
    which = "each pod, one after the other," if how == "on-delete" else "pods that are not ready,"
    of = f"of {live.running} and of releases that were stuck before it,"
    return Step(
        StepKind.DELETE_PODS,
        does=f"delete {which} {of} where {live.kind} {live.name} does not replace them itself",
        way_back="nothing to take back: a new pod takes the place of each",
        values={
            "uid": live.uid,
            "sha": target["sha"],
            "bad": live.current.on_pods if live.current else "",
            "stuck": _stuck(live, target["template"]),
            "how": how if target["settled"] == "healthy" else "broken",
            "within_s": params.healthy_within_s,
        },
    )


def _rollout(params: Params, live: Live, target: dict[str, Any]) -> Step:
    name = f"{live.kind} {live.name}"
    healthy = (
        f"see {name} rolled out, each time further within {params.healthy_within_s:g} s, "
        f"and healthy for {params.steady_s:g} s"
    )
    does = healthy if target["settled"] == "healthy" else f"see the controller of {name} take it up"
    return Step(
        StepKind.ROLLOUT,
        does=does,
        way_back=_LOOKS_ONLY,
        values={
            "uid": live.uid,
            "sha": target["sha"],
            "digests": target["digests"],
            "settled": target["settled"],
            "within_s": params.healthy_within_s,
            "steady_s": params.steady_s if target["settled"] == "healthy" else 0,
        },
    )
