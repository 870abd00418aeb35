"""Deleting the pods of the bad revision that their workload does not replace itself.

A StatefulSet that starts its pods in order waits for ever on one that is not ready, though its template was mended
since. With `OnDelete` nothing is replaced before somebody deletes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.kubernetes import paths, progress
from workers.kubernetes.failures import Conflict, NotFound
from workers.kubernetes.pods import is_leaving, is_ready, why_not_ready
from workers.kubernetes.reading import look
from workers.kubernetes.rollout import ordinal_of, outdated, partition_of, pod_hash
from workers.kubernetes.settling import require_ours

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.instances import WorkloadInstance
    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_EVERY_S = 0.3
_BUDGET_S = 25.0


class PodDeletion:
    """Deletes pods by uid, and only while they carry the hash of a revision that the plan names."""

    def __init__(
        self,
        cluster: Cluster,
        instance: WorkloadInstance,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._cluster = cluster
        self._instance = instance
        self._clock = clock
        self._pause = pause

    def until_replaced(self, values: Mapping[str, Any], before: Seen, deadline_s: float) -> Seen:
        """Return once no pod of the bad revision is left to replace."""
        since_s = float(str(before["since_ms"])) / 1000
        stop_at = self._clock() + min(_BUDGET_S, max(deadline_s - 5, 1))
        deleted: list[str] = []
        go = Going(values["bad"], frozenset(values.get("stuck", ())))
        while True:
            live = look(self._cluster, self._instance)
            require_ours(values, live)
            # Before its controller has seen the change, a deleted pod would come back as it was.
            if live.is_caught_up:
                if not left_to_replace(live, go, values["how"]):
                    return {"deleted": deleted}
                deleted += [self._delete(pod) for pod in to_delete(live, go, values["how"])]
            self._wait(live, since_s, float(values["within_s"]), stop_at)

    def _delete(self, pod: Json) -> str:
        metadata = pod["metadata"]
        try:
            self._cluster.delete(paths.pods(self._instance.namespace, metadata["name"]), uid=metadata["uid"])
        except (NotFound, Conflict):
            return f"{metadata['name']} (gone already)"
        return str(metadata["name"])

    def _wait(self, live: Live, since_s: float, within_s: float, stop_at: float) -> None:
        now = self._clock()
        why = why_not_ready(live.pods) or "its pods are replaced one after the other"
        if now >= max(since_s, min(progress.moved_at(live, within_s), now)) + within_s:
            message = (
                f"{live.name}: no pod was replaced for {within_s:g} s, and some have to be: {why}; "
                "see their events and logs"
            )
            raise Permanent(Reason.NOT_HEALTHY if progress.fails(live) else Reason.UNKNOWN_STATE, message)
        if now >= stop_at:
            raise NotYet(Reason.NOT_HEALTHY, f"{live.name}: {why}", retry_after_s=1)
        self._pause(_EVERY_S)


@dataclass(frozen=True, slots=True)
class Going:
    """Whose pods go: those of the `bad` revision, and of those that were `stuck` before it what is not ready."""

    bad: str
    stuck: frozenset[str] = frozenset()

    def takes(self, pod: Json) -> bool:
        """Whether a pod is one of them."""
        return pod_hash(pod) == self.bad or (pod_hash(pod) in self.stuck and not is_ready(pod))


def left_to_replace(live: Live, go: Going, how: str) -> list[Json]:
    """Return the pods that have to go before the rollout can be watched.

    `broken` is the way back: what did not get well goes, and nobody waits for what comes in its place.
    """
    if how == "on-delete":
        return [pod for pod in live.pods if go.takes(pod)]
    if how == "broken":
        return to_delete(live, go, how)
    return [pod for pod in outdated(live) if go.takes(pod)]


def to_delete(live: Live, go: Going, how: str) -> list[Json]:
    """Return what is deleted now: where pods are stuck, those; with `OnDelete` one, once all others are well.

    Never one that the workload would not replace by the present template: those before a partition. Where one of
    those is not ready, whatever is deleted behind it would not be made anew, so all of it stays.
    """
    present, first = live.current.on_pods if live.current else "", partition_of(live.workload)
    pods = [
        pod
        for pod in live.pods
        if go.takes(pod) and pod_hash(pod) != present and not is_leaving(pod) and ordinal_of(live, pod) >= first
    ]
    stuck = sorted((pod for pod in pods if not is_ready(pod)), key=lambda pod: ordinal_of(live, pod))
    if how != "on-delete":
        kept_back = [pod for pod in live.pods if ordinal_of(live, pod) < first]
        return stuck if all(is_ready(pod) for pod in kept_back) else []
    others = [pod for pod in live.pods if not go.takes(pod)]
    status = live.workload.get("status") or {}
    wanted = live.replicas if live.replicas is not None else int(status.get("desiredNumberScheduled", 0))
    staying = [pod for pod in live.pods if not is_leaving(pod)]
    if len(staying) < wanted or not all(is_ready(pod) for pod in others):
        return []
    return (stuck or sorted(pods, key=lambda pod: -ordinal_of(live, pod)))[:1]
