"""How long a workload's controller may take to see its newest spec, and in whose words it cannot. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.kubernetes.progress import seconds_of

if TYPE_CHECKING:
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_LOOK_AGAIN_S = 0.5
_REFUSED_FOR_S = 10.0
"""A refusal may be of an earlier template, and one that is not is tried again; so long it is not believed."""
_LONGEST_S = 300.0
"""Controllers change their leader, or are away while a control plane is upgraded."""


def require_caught_up(live: Live, now: float) -> None:
    """Raise `NotYet` while the controller may still come, `Permanent` where it will not."""
    if live.is_caught_up:
        return
    behind_s = now - (written_at(live.workload) or now)
    words = refusal(live.workload)
    if words and behind_s >= _REFUSED_FOR_S:
        message = (
            f"the newest template of {live.name} cannot be taken up: {words}. Make that possible, or deploy anew"
        )
        raise Permanent(Reason.TARGET_REFUSED, message)
    if behind_s >= _LONGEST_S:
        message = (
            f"the controller of {live.name} has not seen its newest template for {behind_s:.0f} s: "
            "see that kube-controller-manager runs, and the events of the workload"
        )
        raise Permanent(Reason.UNKNOWN_STATE, message)
    message = f"the controller of {live.name} has not seen its newest template yet"
    raise NotYet(Reason.BACKOFF, f"{message}: {words}" if words else message, retry_after_s=_LOOK_AGAIN_S)


def refusal(workload: Json) -> str:
    """Return in the controller's words why it cannot make what is asked for; empty where it does not say so."""
    for condition in (workload.get("status") or {}).get("conditions") or ():
        kind, status = condition.get("type"), condition.get("status")
        not_made = kind == "Progressing" and condition.get("reason") == "ReplicaSetCreateError"
        if (not_made and status == "False") or (kind == "ReplicaFailure" and status == "True"):
            return f"{condition.get('reason')} ({condition.get('message')})"
    return ""


def written_at(workload: Json) -> float | None:
    """Return when somebody last wrote the spec, by the API server's clock; None where nobody knows any more."""
    times = [
        seconds_of(entry.get("time"))
        for entry in workload["metadata"].get("managedFields") or ()
        if "f:spec" in (entry.get("fieldsV1") or {})
    ]
    return max((time for time in times if time is not None), default=None)
