"""When a rollout last got further, by what its pods say of themselves. Pure.

Nothing of it is kept anywhere: whoever takes over, or looks again after a pause, reads the same from the pods.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from workers.kubernetes.pods import condition_of, fails_by_itself, is_leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json


def moved_at(live: Live, within_s: float) -> float:
    """Return when a pod of the present revision last was made, placed or got ready, or another was told to go.

    Seconds since the epoch, by the cluster's clocks; 0 where nothing of the kind happened. A pod counts as ready
    for the first time only: one that comes and goes for longer than `within_s` gets no further.
    """
    new = {pod["metadata"]["uid"] for pod in _new_pods(live)}
    lasts_s = float(live.workload["spec"].get("minReadySeconds") or 0)
    moves = [0.0]
    for pod in live.pods:
        moves += _starts(pod, within_s, lasts_s) if pod["metadata"]["uid"] in new else _ends(pod)
    return max(moves)


def fails(live: Live) -> bool:
    """Whether a pod of the present revision fails by itself, and does not just wait for somebody else."""
    return any(fails_by_itself(pod) for pod in _new_pods(live))


def seconds_of(text: object) -> float | None:
    """Read a time as the API writes it; None where there is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _starts(pod: Json, within_s: float, lasts_s: float) -> Iterator[float]:
    placed_at = _became(pod, "PodScheduled")
    begun_at = max(seconds_of(pod["metadata"].get("creationTimestamp")) or 0.0, placed_at)
    yield begun_at
    ready_at = _became(pod, "Ready")
    if ready_at - begun_at <= within_s:
        # A rollout goes on only once the pod counts as available.
        yield ready_at + lasts_s if ready_at else 0.0


def _ends(pod: Json) -> Iterator[float]:
    over_at = seconds_of(pod["metadata"].get("deletionTimestamp"))
    if is_leaving(pod) and over_at is not None:
        yield over_at - float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)


def _became(pod: Json, kind: str) -> float:
    found = condition_of(pod, kind)
    return seconds_of(found.get("lastTransitionTime")) or 0.0 if found.get("status") == "True" else 0.0


def _new_pods(live: Live) -> tuple[Json, ...]:
    return live.current.pods if live.current else ()
