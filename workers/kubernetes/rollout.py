"""Is a rollout done? Judged from the workload's status and its pods. Pure.

A status counts only once its controller has seen the present spec: right after a change it still tells of what was
before, `ProgressDeadlineExceeded` of the bad release included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason
from rules.instances import WorkloadKind
from workers.kubernetes.catching_up import refusal
from workers.kubernetes.marks import labels_of
from workers.kubernetes.pods import fails_by_itself, is_leaving, is_ready, why_not_ready

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json


@dataclass(frozen=True, slots=True)
class Done:
    """Every pod that is to run the present template runs it, and is ready."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not there yet, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not get there, says its controller."""

    reason: Reason
    why: str


Verdict: TypeAlias = Done | Waiting | Failed


def judge(live: Live, *, old_deadline: str = "") -> Verdict:
    """Judge one look. `old_deadline` marks a progress deadline that was missed before our change.

    The controller leaves that condition as it is until something moves, even once it has seen our change.
    """
    if not live.is_caught_up:
        words = refusal(live.workload)
        return Waiting(f"its controller has not seen the change yet{f': {words}' if words else ''}")
    if live.replicas == 0:
        left = int(_status(live).get("replicas", 0))
        return Waiting(f"{_pods(left)} still to go") if left else Done()
    match live.kind:
        case WorkloadKind.DEPLOYMENT:
            return _deployment(live, old_deadline)
        case WorkloadKind.STATEFULSET:
            return _statefulset(live)
        case _:
            return _daemonset(live)


def missed_deadline(workload: Json) -> str:
    """Return when a Deployment was last said to have missed its progress deadline, empty where it was not."""
    for condition in (workload.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return str(condition.get("lastUpdateTime") or condition.get("lastTransitionTime") or "unknown")
    return ""


def is_on_delete(workload: Json) -> bool:
    """Whether pods take up a change only when somebody deletes them."""
    return bool((workload["spec"].get("updateStrategy") or {}).get("type") == "OnDelete")


def outdated(live: Live) -> list[Json]:
    """Return the pods that are to take up the present revision and have not, the last ordinal first.

    A StatefulSet's partition keeps the pods before it out of this.
    """
    current = live.current.on_pods if live.current else ""
    pods = [pod for pod in live.pods if pod_hash(pod) != current and not is_leaving(pod)]
    if live.kind is not WorkloadKind.STATEFULSET:
        return pods
    first = partition_of(live.workload)
    return sorted((pod for pod in pods if ordinal_of(live, pod) >= first), key=lambda pod: -ordinal_of(live, pod))


def pod_hash(pod: Json) -> str:
    """Return the label by which a pod says of which revision it is."""
    labels = labels_of(pod)
    return labels.get("controller-revision-hash") or labels.get("pod-template-hash") or ""


def partition_of(workload: Json) -> int:
    """Return the first ordinal that takes up a change."""
    rolling = (workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def ordinal_of(live: Live, pod: Json) -> int:
    """Return a StatefulSet pod's place, counted from nought; it is what its name ends in."""
    start = int((live.workload["spec"].get("ordinals") or {}).get("start") or 0)
    _, _, number = pod["metadata"]["name"].rpartition("-")
    return int(number) - start if number.isdigit() else 0


def _deployment(live: Live, old_deadline: str) -> Verdict:
    status, wanted = _status(live), live.replicas or 0
    missed = missed_deadline(live.workload)
    if missed and missed != old_deadline:
        why = _because("its rollout missed its progress deadline", _new_pods(live))
        # Pods that only wait for a place say nothing against what they are to run.
        fails = any(fails_by_itself(pod) for pod in _new_pods(live))
        return Failed(Reason.PROGRESS_DEADLINE if fails else Reason.UNKNOWN_STATE, why)
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    available = int(status.get("availableReplicas", 0))
    if updated < wanted:
        return Waiting(_because(f"{updated} of {_pods(wanted)} made anew", _new_pods(live), live.workload))
    if total > updated:
        return Waiting(_because(f"{_pods(total - updated)} of other revisions still to go", _new_pods(live)))
    if total > wanted:
        return Waiting(f"{_pods(total - wanted)} too many still to go")
    if available < updated:
        return Waiting(_because(f"{available} of {_pods(updated)} available", _new_pods(live)))
    return Done()


def _statefulset(live: Live) -> Verdict:
    wanted, first = live.replicas or 0, partition_of(live.workload)
    if is_on_delete(live.workload):
        return _all_ready(live, wanted)
    if old := outdated(live):
        return Waiting(_because(f"{_pods(len(old))} of other revisions still to go", [*old, *_new_pods(live)]))
    new = [pod for pod in _new_pods(live) if not is_leaving(pod) and ordinal_of(live, pod) >= first]
    ready, need = [pod for pod in new if is_ready(pod)], max(0, wanted - first)
    if len(ready) < need or len(new) > need:
        return Waiting(_because(f"{len(ready)} of {_pods(need)} ready", new))
    status = _status(live)
    available = int(status.get("availableReplicas", status.get("readyReplicas", 0)))
    if live.workload["spec"].get("minReadySeconds") and first == 0 and available < wanted:
        return Waiting(f"{available} of {_pods(wanted)} available")
    return Done()


def _daemonset(live: Live) -> Verdict:
    status = _status(live)
    wanted = int(status.get("desiredNumberScheduled", 0))
    if is_on_delete(live.workload):
        return _all_ready(live, wanted)
    updated, available = int(status.get("updatedNumberScheduled", 0)), int(status.get("numberAvailable", 0))
    if updated < wanted:
        return Waiting(_because(f"{updated} of {_pods(wanted)} made anew", _new_pods(live)))
    if available < wanted:
        return Waiting(_because(f"{available} of {_pods(wanted)} available", _new_pods(live)))
    return Done()


def _all_ready(live: Live, wanted: int) -> Verdict:
    """Judge what changes only by hand: which pods take it up is decided elsewhere, they have to be ready."""
    ready = [pod for pod in live.pods if is_ready(pod)]
    if len(ready) < wanted:
        return Waiting(_because(f"{len(ready)} of {_pods(wanted)} ready", live.pods))
    return Done()


def _new_pods(live: Live) -> Sequence[Json]:
    return live.current.pods if live.current else ()


def _status(live: Live) -> Json:
    return live.workload.get("status") or {}


def _because(what: str, pods: Sequence[Json], workload: Json | None = None) -> str:
    why = why_not_ready(pods) or (refusal(workload) if workload else "")
    return f"{what}: {why}" if why else what


def _pods(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"
