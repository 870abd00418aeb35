"""Watching a workload until it runs what we wrote, and stays well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes import images, progress, rollout, templates
from workers.kubernetes.pods import is_leaving, restarts_of
from workers.kubernetes.reading import look
from workers.watching import Look, Verdict, Watch, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rules.instances import WorkloadInstance
    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live

_EVERY_S = 0.5
_WAITS_S = 2.0
_ADVICE = "see the events and logs of its pods"


class RolloutWatch:
    """Looks at one workload again and again; changes nothing."""

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
        self._live: Live | None = None

    def until_settled(self, values: Mapping[str, Any], before: Seen, deadline_s: float) -> Seen:
        """Return what was seen once it is as the plan wants it; raises `Permanent` once it cannot be."""
        old_deadline = str(before.get("missed_deadline", ""))
        window = Window(float(str(before["since_ms"])) / 1000, values["within_s"], values["steady_s"])
        watch = Watch(
            lambda: self._look(values, old_deadline),
            self._clock,
            self._pause,
            every_s=_EVERY_S,
            waits_s=_WAITS_S,
            advice=_ADVICE,
        )
        seen = watch.until_steady(window, deadline_s)
        return {"settled": seen.why, "steady_s": values["steady_s"], "images": self._images(values["digests"])}

    def _look(self, values: Mapping[str, Any], old_deadline: str) -> Look:
        self._live = live = look(self._cluster, self._instance)
        require_ours(values, live)
        if values["settled"] != "healthy":
            taken_up = live.is_caught_up and live.current is not None
            return Look(Verdict.GOOD if taken_up else Verdict.WAITING, "its controller takes it up", fails=False)
        run = str(restarts_of(live.current.pods)) if live.current else ""
        moved_s = progress.moved_at(live, float(values["within_s"]))
        match rollout.judge(live, old_deadline=old_deadline):
            case rollout.Done():
                return Look(Verdict.GOOD, f"{live.name} is rolled out and healthy", run, moved_s=moved_s)
            case rollout.Waiting(why):
                fails = progress.fails(live)
                return Look(Verdict.WAITING, f"{live.name}: {why}", run, moved_s=moved_s, fails=fails)
            case rollout.Failed(reason, why):
                return Look(Verdict.BAD, f"{live.name}: {why}", run, reason)

    def _images(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """Return which images the pods run; raises where they are known to be others than were wanted."""
        live = self._live
        pods = [pod for pod in live.current.pods if not is_leaving(pod)] if live and live.current else []
        named = templates.images(live.template) if live else {}
        for pod in pods:
            other = images.moved_in(pod, named, wanted)
            if other:
                name, digest = next(iter(other.items()))
                message = (
                    f"pod {pod['metadata']['name']} is healthy, but its container {name} runs {digest} instead of "
                    f"{wanted[name]}: the image's tag was moved. Deploy the release by its digest"
                )
                raise Permanent(Reason.IMAGE_MISMATCH, message)
        return images.digests_of(pods, named)


def require_ours(values: Mapping[str, Any], live: Live) -> None:
    """Raise `Permanent` where the workload is no longer what we made it."""
    if live.uid != values["uid"] or live.sha != values["sha"]:
        message = f"somebody changed {live.name} while its rollout was watched: look at what runs there now"
        raise Permanent(Reason.CHANGED_MEANWHILE, message)
