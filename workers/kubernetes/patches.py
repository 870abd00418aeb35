"""The JSON Patches that are sent, each a compare-and-set on what was read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from workers.kubernetes import marks

if TYPE_CHECKING:
    from workers.kubernetes.marks import Json

Patch: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """What a workload is made to be; None stays as it is. In `marks`, our annotations, None takes one away."""

    marks: Mapping[str, str | None]
    template: Json | None = None
    replicas: int | None = None
    paused: bool | None = None


def change_patch(workload: Json, change: Change) -> Patch:
    """Change a workload, as long as it is the very one that was read.

    A `resourceVersion` that is replaced and stale is answered 409, where a `test` of it would be answered 422,
    as an invalid template is.
    """
    patch = guard(workload)
    if change.template is not None:
        patch.append(_op("replace", "/spec/template", change.template))
    if change.replicas is not None:
        patch.append(_op("add", "/spec/replicas", change.replicas))
    if change.paused is not None:
        patch.append(_op("add", "/spec/paused", change.paused))
    return [*patch, *_marked(workload, change.marks)]


def strip_patch(workload: Json) -> Patch | None:
    """Take our entry out of managedFields, or the owner's next server-side apply conflicts with us.

    None where there is no entry of ours. An empty list would mean nothing; a list of one empty entry clears.
    """
    entries = workload["metadata"].get("managedFields") or ()
    others = [entry for entry in entries if entry.get("manager") != marks.MANAGER]
    if len(others) == len(entries):
        return None
    return [*guard(workload), _op("replace", "/metadata/managedFields", others or [{}])]


def guard(workload: Json) -> Patch:
    """Begin a patch that holds only for the very version, and the very object, that was read."""
    metadata = workload["metadata"]
    return [
        _op("replace", "/metadata/resourceVersion", metadata["resourceVersion"]),
        _op("test", "/metadata/uid", metadata["uid"]),
    ]


def escaped(key: str) -> str:
    """Return a key as one part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _marked(workload: Json, wanted: Mapping[str, str | None]) -> Sequence[dict[str, Any]]:
    present = workload["metadata"].get("annotations")
    kept = {key: value for key, value in wanted.items() if value is not None}
    if present is None:
        return [_op("add", "/metadata/annotations", kept)]
    gone = [
        {"op": "remove", "path": f"/metadata/annotations/{escaped(key)}"}
        for key, value in wanted.items()
        if value is None and key in present
    ]
    return [*(_op("add", f"/metadata/annotations/{escaped(key)}", value) for key, value in kept.items()), *gone]


def _op(op: str, path: str, value: object) -> dict[str, Any]:
    return {"op": op, "path": path, "value": value}
