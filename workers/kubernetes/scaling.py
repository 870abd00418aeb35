"""Taking every pod of a workload away, where others serve in their place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadKind
from workers.kubernetes.announcing import API_KINDS
from workers.kubernetes.marks import SCALED_TO_ZERO, labels_of
from workers.kubernetes.plan import Goal
from workers.kubernetes.pods import is_ready
from workers.kubernetes.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.observations import Drop
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

ZERO = Goal(SCALED_TO_ZERO, replicas=0)


def why_not_countable(live: Live) -> Drop | None:
    """Say why a workload cannot be scaled at all; None where it can."""
    if live.kind is WorkloadKind.DAEMONSET:
        return (
            Reason.NO_CANDIDATE,
            f"{live.name} is a DaemonSet, which has a pod on each node: it cannot be scaled",
        )
    if live.replicas == 0:
        return Reason.RELEASE_CURRENT, f"{live.name} is scaled to zero already"
    return None


def why_scaled_by_others(live: Live, scaled_objects: Iterable[Json]) -> Drop | None:
    """Say which ScaledObject of KEDA's owns the number of pods, and would bring them back."""
    for scaled in scaled_objects:
        target = (scaled.get("spec") or {}).get("scaleTargetRef") or {}
        if target.get("name") == live.name and target.get("kind", "Deployment") == API_KINDS[live.kind]:
            name = scaled["metadata"]["name"]
            detail = f"ScaledObject {name} decides how many pods {live.name} has: pause it, or choose otherwise"
            return Reason.SCALED_BY_OTHERS, detail
    return None


def services_of(live: Live, services: Iterable[Json]) -> dict[str, Mapping[str, str]]:
    """Return the selectors of the Services that send requests to the workload's pods, by name."""
    labels = labels_of(live.template)
    selectors = {str(service["metadata"]["name"]): service["spec"].get("selector") or {} for service in services}
    return {name: selector for name, selector in selectors.items() if selects(selector, labels)}


def why_left_empty(live: Live, service: str, pods: Iterable[Json]) -> Drop | None:
    """Say that nobody else would serve; `pods` are all that the Service selects."""
    own = {pod["metadata"]["uid"] for pod in live.pods}
    if any(is_ready(pod) and pod["metadata"]["uid"] not in own for pod in pods):
        return None
    detail = f"Service {service} would have no ready pod without those of {live.name}: bring up others first"
    return Reason.SERVICE_WOULD_BE_EMPTY, detail
