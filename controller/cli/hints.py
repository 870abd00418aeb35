"""What a person can do about a refusal by hand, where the reason itself speaks of rules."""

from __future__ import annotations

from rules.instances import WorkloadInstance, read_instance

_SAME_AS = "add `--to same-as:track=stable`, with the labels of a workload that is well"
_BY_REASON = {
    "first-release": _SAME_AS,
    "no-history": _SAME_AS,
    "same-images": "add `--restore template`, or go back by hand",
    "digest-unknown": "add `--pin never` to trust the tag, or name a digest with `--to`",
    "gitops-owned": "roll back where it is kept (in Argo CD, in Git), or add `--gitops force`",
}


def by_hand(reason: str, instance: str) -> str:
    """Say in the words of the command line what to do; empty where the reason's own sentence says it."""
    workload = read_instance(instance)
    if not isinstance(workload, WorkloadInstance):
        return ""
    if reason == "paused":
        name = f"{workload.kind}/{workload.name} -n {workload.namespace}"
        return f"`kubectl rollout resume {name}`, then try again"
    return _BY_REASON.get(reason, "")
