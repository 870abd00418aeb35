"""The change of a workload as a compare-and-set: what is written, and whether it still may be. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import StepState
from workers.kubernetes import marks
from workers.kubernetes.patches import Change
from workers.kubernetes.templates import sha_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.kubernetes.marks import Json


def planned(workload: Json) -> dict[str, Any]:
    """Return of a workload what a change rests on, and what it takes to undo it: all that a takeover needs.

    Not its resourceVersion, which status moves on all the time: the same facts give the same plan.
    """
    metadata, spec = workload["metadata"], workload["spec"]
    annotations = metadata.get("annotations")
    ours = {key: value for key, value in (annotations or {}).items() if key.startswith(marks.PREFIX)}
    return {
        "metadata": {
            "uid": metadata["uid"],
            "annotations": None if annotations is None else ours,
        },
        "spec": {
            "template": spec["template"],
            "replicas": spec.get("replicas"),
            "paused": bool(spec.get("paused")),
        },
        "sha": sha_of(spec["template"]),
    }


def change_of(values: Mapping[str, Any], workload: Json, fence: int, rollback: str) -> Change:
    """Return what is written over a workload as it is now: the plan's change, and our annotations."""
    who = f" by {values['who']}" if values["who"] else ""
    now, wanted = workload["spec"].get("replicas"), values["replicas"]
    scaled = wanted == 0
    return Change(
        template=values["template"],
        # A count is put back where there is none; one that somebody set since the plan was made is theirs.
        replicas=wanted if scaled or now == 0 else None,
        paused=values["paused"],
        marks={
            marks.FENCE: str(fence),
            marks.EFFECT: values["effect"],
            marks.ROLLBACK: rollback,
            marks.RULE: values["who"],
            marks.RELEASE: values["release"],
            marks.TEMPLATE: values["sha"],
            marks.REPLICAS: str(now) if scaled else None,
            marks.CHANGE_CAUSE: f"rollback {rollback}: {values['from']} to {values['release']}{who}",
        },
    )


def require_unchanged(was: Json, now: Json, fence: int, rollback: str) -> None:
    """Raise `Permanent` unless the change may still be made: the same template, and no newer fence.

    Status and the number of pods move all the time, and are nobody's decision about the release.
    """
    require_fence(now, fence, rollback)
    name = now["metadata"]["name"]
    if now["metadata"]["uid"] != was["metadata"]["uid"]:
        raise _changed(f"{name} was deleted and made anew meanwhile")
    if sha_of(now["spec"]["template"]) != was["sha"]:
        raise _changed(f"somebody changed the pod template of {name} meanwhile")
    if marks.fence_of(now) != marks.fence_of(was):
        raise _changed(f"another rollback changed {name} meanwhile")
    if bool(now["spec"].get("paused")) and not was["spec"]["paused"]:
        raise Permanent(Reason.PAUSED, f"somebody paused {name} meanwhile: resume it, or decide by hand")


def require_fence(workload: Json, fence: int, rollback: str) -> None:
    """Raise `Permanent` where the workload has seen a newer fence than ours; an equal one has to be our own."""
    seen, owner = marks.fence_of(workload), marks.annotations_of(workload).get(marks.ROLLBACK)
    if seen > fence or (seen == fence and owner != rollback):
        message = (
            f"the workload has seen fence {seen} of rollback {owner}, ours is {fence}: another of us acts here"
        )
        raise Permanent(Reason.STALE_FENCE, message)


def is_written(values: Mapping[str, Any], now: Json, rollback: str) -> bool:
    """Whether the workload is what this change makes it, by our hand."""
    ours = marks.annotations_of(now).get(marks.ROLLBACK) == rollback
    replicas = values["replicas"]
    counted = replicas is None or (now["spec"].get("replicas") == 0) == (replicas == 0)
    # The release is compared too: a template may be equal before and after where only the count changes.
    said = marks.annotations_of(now).get(marks.RELEASE) == values["release"]
    return ours and said and counted and sha_of(now["spec"]["template"]) == values["sha"]


def state_of(values: Mapping[str, Any], now: Json, rollback: str) -> StepState:
    """Tell whether a change that somebody began was made."""
    if is_written(values, now, rollback):
        return StepState.DONE
    was = values["was"]
    unchanged = (
        now["metadata"]["uid"] == was["metadata"]["uid"]
        and sha_of(now["spec"]["template"]) == was["sha"]
        and marks.fence_of(now) == marks.fence_of(was)
    )
    return StepState.NOT_DONE if unchanged else StepState.NEITHER


def _changed(what: str) -> Permanent:
    return Permanent(Reason.CHANGED_MEANWHILE, f"{what}: look at what runs there now")
