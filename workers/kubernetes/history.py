"""What a workload ran, by its own history: a Deployment's ReplicaSets, the others' ControllerRevisions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadKind
from workers.kubernetes.marks import annotations_of, labels_of
from workers.kubernetes.pods import is_ready, owner_of
from workers.kubernetes.templates import sha_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.observations import Drop
    from workers.kubernetes.marks import Json

REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"


@dataclass(frozen=True, slots=True)
class Revision:
    """One release of a workload as its history keeps it.

    `hash` names it; `on_pods` is what its pods carry in their hash label (StatefulSets write the whole name
    there). `kept_by` is the ReplicaSet or ControllerRevision itself.
    """

    number: int
    hash: str
    on_pods: str
    template: Json
    kept_by: Json
    pods: tuple[Json, ...] = ()

    @property
    def sha(self) -> str:
        """The sum of the template, equal for releases that are the same."""
        return sha_of(self.template)

    @property
    def serves(self) -> bool:
        """Whether a pod of it is ready."""
        return any(is_ready(pod) for pod in self.pods)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Its number and those it had before it came again."""
        earlier = annotations_of(self.kept_by).get(_HISTORY, "")
        return str(self.number), *(number for number in earlier.split(",") if number.strip())


def revisions(
    kind: WorkloadKind, workload: Json, kept: Iterable[Json], pods: Sequence[Json]
) -> tuple[Revision, ...]:
    """Return the workload's revisions, newest first; objects that others own are passed over."""
    uid = workload["metadata"]["uid"]
    own = [obj for obj in kept if owner_of(obj).get("uid") == uid]
    if kind is WorkloadKind.DEPLOYMENT:
        made = [_of_replicaset(obj, pods) for obj in own]
    else:
        ours = [pod for pod in pods if owner_of(pod).get("uid") == uid]
        made = [_of_controller_revision(kind, workload, obj, ours) for obj in own]
    return tuple(sorted(made, key=lambda revision: revision.number, reverse=True))


def current_of(kind: WorkloadKind, workload: Json, known: Sequence[Revision]) -> Revision | None:
    """Return the revision that the present template makes; None while its controller has not made one.

    A paused Deployment may hold a template that was never rolled out: then it is the revision last rolled out.
    """
    sha = sha_of(workload["spec"]["template"])
    if kind is WorkloadKind.STATEFULSET:
        name = (workload.get("status") or {}).get("updateRevision")
        return next((revision for revision in known if revision.on_pods == name), None)
    number = annotations_of(workload).get(REVISION)
    same = [revision for revision in known if revision.sha == sha]
    if kind is WorkloadKind.DEPLOYMENT:
        numbered = [revision for revision in same or known if str(revision.number) == number]
        return next(iter(numbered or same), None)
    return next(iter(same or known), None)


def earlier_releases(known: Sequence[Revision], current: Revision | None, template: Json) -> tuple[Revision, ...]:
    """Return what could be gone back to, best first: what pods still serve, then the newest.

    What equals the present template is no way back. Of revisions that are one release (a restart made another of
    the same), the newest stands for all of them: its hash is the one that was remembered when it was left.
    """
    gone = {sha_of(template)} | ({current.sha} if current else set())
    found: dict[str, list[Revision]] = {}
    for revision in known:
        if revision.sha not in gone:
            found.setdefault(revision.sha, []).append(revision)
    return tuple(sorted((_stands_for(same) for same in found.values()), key=rank, reverse=True))


def rank(revision: Revision) -> tuple[int, int]:
    """Order revisions that are not the present one."""
    return int(revision.serves), revision.number


def no_history(workload: Json, current: Revision | None, earlier: Sequence[Revision]) -> Drop | None:
    """Say why there is nothing to go back to; None where there is something."""
    if earlier:
        return None
    name = workload["metadata"]["name"]
    if workload["spec"].get("revisionHistoryLimit") == 0:
        return (
            Reason.NO_HISTORY,
            f"{name} keeps no history: set revisionHistoryLimit to 2 or more, and deploy by hand",
        )
    if current is not None and current.number <= 1:
        detail = f"this is the first release of {name}: offer `same-as` or `scale-to-zero` in `to`, or act by hand"
        return Reason.FIRST_RELEASE, detail
    return Reason.NO_HISTORY, f"the history of {name} holds no other release: deploy one by hand"


def _stands_for(same: Sequence[Revision]) -> Revision:
    """Return the newest; it keeps its place, but counts as serving by the pods of all."""
    newest = max(same, key=lambda revision: revision.number)
    pods = tuple(pod for revision in same for pod in revision.pods)
    serving = next((revision for revision in same if revision.serves), newest)
    # The template that is written is the one whose pods run, so that they are kept.
    return Revision(newest.number, newest.hash, serving.on_pods, serving.template, newest.kept_by, pods)


def _of_replicaset(obj: Json, pods: Sequence[Json]) -> Revision:
    number = annotations_of(obj).get(REVISION, "")
    made_hash = labels_of(obj).get("pod-template-hash", obj["metadata"]["name"])
    own = tuple(pod for pod in pods if owner_of(pod).get("uid") == obj["metadata"]["uid"])
    return Revision(
        int(number) if number.isdigit() else 0, made_hash, made_hash, obj["spec"]["template"], obj, own
    )


def _of_controller_revision(kind: WorkloadKind, workload: Json, obj: Json, pods: Sequence[Json]) -> Revision:
    name = obj["metadata"]["name"]
    suffix = name.removeprefix(f"{workload['metadata']['name']}-")
    on_pods = name if kind is WorkloadKind.STATEFULSET else labels_of(obj).get("controller-revision-hash", suffix)
    own = tuple(pod for pod in pods if labels_of(pod).get("controller-revision-hash") == on_pods)
    template = ((obj.get("data") or {}).get("spec") or {}).get("template") or {}
    made_hash = suffix if kind is WorkloadKind.STATEFULSET else on_pods
    return Revision(int(obj.get("revision", 0)), made_hash, on_pods, template, obj, own)
