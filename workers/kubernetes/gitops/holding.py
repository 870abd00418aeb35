"""The annotation on a paused owner: why, for whom, since when, and what has to be put back. Pure.

Several workloads of one owner may be gone back at a time. Each has its own hold in the annotation; the first
pauses the owner, and whoever takes the last hold away puts back what was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.gitops.kinds import is_as_paused, pause_ops, reconciles, resume_ops, setting, wants_sum
from workers.kubernetes.marks import PREFIX, annotations_of
from workers.kubernetes.patches import escaped, guard

if TYPE_CHECKING:
    from workers.kubernetes.gitops.kinds import OwnerKind
    from workers.kubernetes.marks import Json
    from workers.kubernetes.patches import Patch

PAUSED = f"{PREFIX}paused"
"""The annotation's name."""
_POINTER = f"/metadata/annotations/{escaped(PAUSED)}"


@dataclass(frozen=True, slots=True)
class Paused:
    """What our annotation says. `holds` are by instance; `was` is the field as it was before the first of them."""

    was: Mapping[str, Any]
    holds: Mapping[str, Mapping[str, Any]]

    def text(self) -> str:
        """Write it, always in the same way."""
        return json.dumps({"was": self.was, "for": self.holds}, sort_keys=True, ensure_ascii=False)


def read_paused(owner: Json) -> Paused | None:
    """Read our annotation; None where there is none, or none that we wrote: then a pause is somebody else's."""
    try:
        said = json.loads(annotations_of(owner).get(PAUSED, ""))
        return Paused(dict(said["was"]), {str(key): _hold(hold) for key, hold in said["for"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_ours(kind: OwnerKind, owner: Json) -> Paused | None:
    """Return our annotation where the owner is paused as we left it."""
    paused = read_paused(owner)
    return paused if paused and is_as_paused(kind, owner) else None


def pause_patch(kind: OwnerKind, owner: Json, instance: str, hold: Json) -> Patch | None:
    """Return what adds a hold, and pauses the owner where nobody has; None where it is somebody else's pause."""
    paused = is_ours(kind, owner)
    if paused is None:
        if not reconciles(kind, owner):
            return None
        paused, stop = Paused(setting(kind, owner), {}), pause_ops(kind)
    else:
        stop = []
    return [*guard(owner), *stop, *_said(owner, Paused(paused.was, {**paused.holds, instance: hold}))]


def release_patch(kind: OwnerKind, owner: Json, instance: str, *, every: bool = False) -> Patch:
    """Return what takes a hold away, or every hold, and with the last of them puts back what was.

    A field that somebody changed since is theirs: then only our annotation goes.
    """
    paused = read_paused(owner)
    if paused is None:
        return []
    left = {} if every else {key: hold for key, hold in paused.holds.items() if key != instance}
    if not is_as_paused(kind, owner):
        return [*guard(owner), {"op": "remove", "path": _POINTER}]
    if left:
        return [*guard(owner), *_said(owner, Paused(paused.was, left))]
    return [*guard(owner), *resume_ops(kind, owner, paused.was), {"op": "remove", "path": _POINTER}]


def require_as_planned(owner: Json, values: Json, fence: int, instance: str) -> None:
    """Raise `Permanent` where the owner is another than was planned for, or wants something else by now."""
    name = f"{values['kind']} {values['namespace']}/{values['name']}"
    if owner["metadata"]["uid"] != values["uid"]:
        raise changed(f"{name} was deleted and made anew meanwhile")
    if wants_sum(owner) != values["wants"]:
        raise changed(f"somebody changed {name} meanwhile, and with it what it wants")
    paused = read_paused(owner)
    hold = paused.holds.get(instance) if paused else None
    if hold and hold["fence"] > fence:
        raise Permanent(
            Reason.STALE_FENCE, f"{name} has seen fence {hold['fence']}, ours is {fence}: another of us acts here"
        )


def changed(what: str) -> Permanent:
    """Say that somebody was there in between."""
    return Permanent(Reason.CHANGED_MEANWHILE, f"{what}: look at what runs there now, and what is wanted")


def _hold(said: Mapping[str, Any]) -> dict[str, Any]:
    bad = {"images": [str(one) for one in said["bad"]["images"]], "sha": str(said["bad"]["sha"])}
    words = {key: str(said[key]) for key in ("rollback", "since")}
    named = [str(place) for place in said["named"]]
    return {**said, **words, "named": named, "fence": int(said["fence"]), "bad": {**said["bad"], **bad}}


def _said(owner: Json, paused: Paused) -> Patch:
    if owner["metadata"].get("annotations") is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {PAUSED: paused.text()}}]
    return [{"op": "add", "path": _POINTER, "value": paused.text()}]
