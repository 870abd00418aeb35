"""What going back destroys, kept before: the last words of failing pods, and the events about them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from rules.errors import RollbackError
from workers.kubernetes import paths
from workers.kubernetes.pods import failing, has_restarted, restarts_of, telling_containers, why_not_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_LONGEST_S = 3.0
_MOST_PODS = 3
_MOST_CONTAINERS = 3
_MOST_LINES = 50
_MOST_BYTES = 64 << 10
_MOST_EVENTS = 50
_EVENTS_PAGE = 500


class Evidence:
    """Gathers within a few seconds; what cannot be had in that time, or at all, is recorded as such."""

    def __init__(self, cluster: Cluster, namespace: str, logs_s: float) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._logs_s = max(1, int(logs_s))
        self._stop_at = time.monotonic() + _LONGEST_S
        self._bytes_left = _MOST_BYTES
        self._missing: list[str] = []

    def of(self, live: Live) -> Seen:
        """Return what the pods and the events say."""
        bad = failing(live.current.pods if live.current else live.pods)
        logs_left = [sum(len(_logs_of(pod)) for pod in bad[n:_MOST_PODS]) for n in range(_MOST_PODS)]
        pods = [self._pod(pod, left) for pod, left in zip(bad, logs_left, strict=False)]
        kept: dict[str, object] = {"pods": pods, "failing": len(bad)}
        kept["events"] = self._asked("events", lambda: self._events(live))
        if self._missing:
            kept["unavailable"] = self._missing
        return kept

    def _pod(self, pod: Json, logs_left: int) -> dict[str, object]:
        name, asked = pod["metadata"]["name"], _logs_of(pod)
        logs: dict[str, object] = {}
        for number, (container, life) in enumerate(asked):
            share = self._bytes_left // (
                logs_left - number
            )  # so that one that says much leaves room for the others
            ask = partial(self._log, name, container, life, share)
            logs[f"{container} ({life})"] = self._asked(f"log of {name}", ask)
        return {"pod": name, "why": why_not_ready([pod]), "restarts": restarts_of([pod]), "logs": logs}

    def _log(self, pod: str, container: str, life: str, most: int) -> str:
        if most <= 0:
            return ""
        said = self._cluster.text(
            paths.pod_log(self._namespace, pod),
            container=container,
            previous="true" if life == "previous" else "false",
            tailLines=str(_MOST_LINES),
            sinceSeconds=str(self._logs_s),
            limitBytes=str(most),
        )
        self._bytes_left -= len(said.encode())
        return said

    def _events(self, live: Live) -> list[dict[str, object]]:
        """Return the newest warnings about the workload and its pods: one call for all of them."""
        about = {live.uid, *(pod["metadata"]["uid"] for pod in live.pods)}
        about |= {revision.kept_by["metadata"]["uid"] for revision in live.revisions}
        page = self._cluster.get(
            paths.events(self._namespace), fieldSelector="type=Warning", limit=str(_EVENTS_PAGE)
        )
        events = [event for event in page["items"] if event["involvedObject"].get("uid") in about]
        events.sort(
            key=lambda event: str(event.get("lastTimestamp") or event["metadata"].get("creationTimestamp"))
        )
        return [_facts(event) for event in events[-_MOST_EVENTS:]]

    def _asked(self, what: str, ask: Callable[[], object]) -> object:
        if time.monotonic() > self._stop_at:
            self._missing.append(f"{what}: there was no time")
            return None
        try:
            return ask()
        except RollbackError as error:
            self._missing.append(f"{what}: {error}")
            return None


def _logs_of(pod: Json) -> list[tuple[str, str]]:
    """Return which logs of a pod are kept: container and life."""
    return [
        (container, life)
        for container in telling_containers(pod)[:_MOST_CONTAINERS]
        for life in (("previous", "current") if has_restarted(pod, container) else ("current",))
    ]


def _facts(event: Json) -> dict[str, object]:
    involved = event["involvedObject"]
    return {
        "about": f"{str(involved.get('kind', '')).lower()} {involved.get('name')}",
        "reason": event.get("reason"),
        "message": str(event.get("message", ""))[:500],
        "count": event.get("count") or 1,
        "last": event.get("lastTimestamp") or event.get("eventTime"),
    }
