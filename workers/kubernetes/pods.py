"""Pods: whose they are, whether they are ready, and in their own words why not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.kubernetes.marks import Json

_MOST_REASONS = 3
_LONGEST_MESSAGE = 200


def owner_of(obj: Json) -> Json:
    """Return the reference to what controls an object, empty where nothing does."""
    references = obj.get("metadata", {}).get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})


def is_ready(pod: Json) -> bool:
    """Whether a pod is in rotation, and not on its way out."""
    return not is_leaving(pod) and condition_of(pod, "Ready").get("status") == "True"


def is_leaving(pod: Json) -> bool:
    """Whether a pod is being deleted, or has ended for good."""
    over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return over or "deletionTimestamp" in pod["metadata"]


def fails_by_itself(pod: Json) -> bool:
    """Whether a pod is not ready because of what it runs.

    One that waits for a place, whose node is away, or that is about to be started, may do so for any release.
    """
    if is_leaving(pod) or is_ready(pod) or condition_of(pod, "PodScheduled").get("status") == "False":
        return False
    return bool(_containers_why(pod))


def restarts_of(pods: Iterable[Json]) -> int:
    """Count how often containers of these pods were started again."""
    return sum(int(status.get("restartCount", 0)) for pod in pods for status in _statuses(pod))


def why_not_ready(pods: Iterable[Json]) -> str:
    """Say in the pods' own words why they are not ready, each reason once; empty where all are."""
    reasons: dict[str, list[str]] = {}
    for pod in pods:
        if not is_leaving(pod) and not is_ready(pod):
            reasons.setdefault(_why(pod), []).append(pod["metadata"]["name"])
    said = [f"{_named(names)}: {why}" for why, names in list(reasons.items())[:_MOST_REASONS]]
    return "; ".join(said)


def failing(pods: Iterable[Json]) -> list[Json]:
    """Return the pods that are not ready, those that restarted most first."""
    return sorted((pod for pod in pods if not is_ready(pod)), key=lambda pod: -restarts_of([pod]))


def telling_containers(pod: Json) -> list[str]:
    """Return the containers whose logs may say why a pod is not ready: what is not, then what began again.

    Where all are well the first may; one that was never started has no log.
    """
    started = [status for status in _statuses(pod) if status.get("containerID")]
    troubled = [status for status in started if not status.get("ready") or status.get("restartCount")]
    troubled.sort(key=lambda status: (bool(status.get("ready")), -int(status.get("restartCount") or 0)))
    return [str(status["name"]) for status in troubled or started[:1]]


def has_restarted(pod: Json, container: str) -> bool:
    """Whether a container has an earlier life with a log of its own."""
    return any(status["name"] == container and status.get("restartCount") for status in _statuses(pod))


def condition_of(pod: Json, kind: str) -> Json:
    """Return what a pod says of one thing, empty where it says nothing."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _why(pod: Json) -> str:
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return _say(str(scheduled.get("reason") or "Unschedulable"), scheduled.get("message"))
    if why := _containers_why(pod):
        return why
    ready = condition_of(pod, "Ready")
    return _say(
        str(ready.get("reason") or (pod.get("status") or {}).get("phase") or "Pending"), ready.get("message")
    )


def _containers_why(pod: Json) -> str:
    """Return what is wrong with the first container that is not well; empty where none says so."""
    preparing = (_container_why(status, "init container") for status in _statuses(pod, "initContainerStatuses"))
    running = (_container_why(status, "container") for status in _statuses(pod, "containerStatuses"))
    return next((why for why in (*preparing, *running) if why), "")


def _container_why(status: Json, what: str) -> str:
    name, state = f"{what} {status['name']}", status.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason") and waiting["reason"] not in ("ContainerCreating", "PodInitializing"):
        last = ((status.get("lastState") or {}).get("terminated") or {}).get("exitCode")
        exited = f" (it exited with {last})" if last is not None else ""
        return f"{name} is in {_say(waiting['reason'], waiting.get('message'))}{exited}"
    if ended and ended.get("exitCode"):
        return f"{name} exited with {ended['exitCode']} ({ended.get('reason') or 'Error'})"
    if "running" not in state or status.get("ready"):
        return ""
    return (
        f"{name} has not ended"
        if what.startswith("init")
        else f"{name} runs, but its readiness probe does not pass"
    )


def _statuses(pod: Json, *kinds: str) -> list[dict[str, Any]]:
    status = pod.get("status") or {}
    kinds = kinds or ("initContainerStatuses", "containerStatuses")
    return [container for kind in kinds for container in status.get(kind) or ()]


def _say(reason: str, message: str | None) -> str:
    text = " ".join((message or "").split())
    short = text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"
    return f"{reason} ({short})" if short else reason


def _named(names: Sequence[str]) -> str:
    return f"pod {names[0]}" if len(names) == 1 else f"pods {names[0]} and {len(names) - 1} more"
