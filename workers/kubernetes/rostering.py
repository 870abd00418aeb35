"""From a look at a workload to what the roster keeps of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.ledger import Look, PastArrival
from rules.services import environment_of, service_said_by
from workers.kubernetes.arrivals import arrived, history
from workers.kubernetes.marks import labels_of
from workers.kubernetes.pods import is_leaving
from workers.kubernetes.releases import aliases_of, content_of
from workers.kubernetes.rollout import Done, judge

if TYPE_CHECKING:
    from rules.instances import WorkloadInstance
    from workers.kubernetes.live import Live
    from workers.kubernetes.releases import Recorded

_TARGETS_MOST = 20
_EARLIER_MOST = 19


def look_of(instance: WorkloadInstance, live: Live, recorded: Recorded, now_ms: int) -> Look | None:
    """Say what the roster keeps; None while its controller has not made a revision of the present template."""
    if live.current is None or live.running is None or not live.is_caught_up:
        return None
    labels = labels_of(live.template)
    return Look(
        instance=instance.id,
        service=service_said_by(labels),
        environment=environment_of(labels),
        place=place_of(instance.cluster),
        names=(live.running, *aliases_of(live.current, recorded, live.running)),
        pin=live.arrival,
        arrived=arrived(live, now_ms),
        healthy=is_healthy(live),
        labels=labels,
        cluster=instance.cluster,
        platform=live.platform,
        content=content_of(live.current, recorded),
        bits=live.current.sha,
        targets=tuple(pod["metadata"]["name"] for pod in live.current.pods if not is_leaving(pod))[:_TARGETS_MOST],
        earlier=_earlier(live, now_ms),
    )


def is_healthy(live: Live) -> bool | None:
    """Whether the present release is rolled out and all of its pods are well; None where it has no pods."""
    if live.replicas == 0:
        return None
    return isinstance(judge(live), Done)


def place_of(cluster: str) -> str:
    """Name the cluster as the roster does."""
    return f"kubernetes/{cluster}"


def _earlier(live: Live, now_ms: int) -> tuple[PastArrival, ...]:
    """Return what the workload's own history remembers before the present release, newest first."""
    present = live.current.number if live.current else 0
    past = [came for came in history(live, now_ms) if came.number < present]
    return tuple(
        PastArrival(f"{live.uid}/{came.number}/{came.hash}", came.release, came.arrival)
        for came in past[-_EARLIER_MOST:][::-1]
    )
