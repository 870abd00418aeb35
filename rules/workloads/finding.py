"""From an alert to the workloads that a rule means, given what is live: everything is decided here, nothing asked.

All that is named must lead to one workload. A rule's selector alone may lead to several.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.rule import Pods
from rules.workloads.answers import CannotTell, held, refused
from rules.workloads.gone import led_by_gone_pod
from rules.workloads.named import Claim, ForeignNamed, PodNamed, ReplicaSetNamed, WorkloadNamed
from rules.workloads.owners import Led, foreign, led_by_pod, led_by_replica_set
from rules.workloads.selection import locate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.targets import Found
    from rules.workloads.claims import Claims
    from rules.workloads.seen import Live, WorkloadSeen


@dataclass(slots=True)
class _Resolved:
    """What the claims led to, and which led nowhere, each with the decision that says why."""

    led: list[Led] = field(default_factory=list)
    missing: list[tuple[WorkloadNamed, CannotTell]] = field(default_factory=list)
    gone: list[CannotTell] = field(default_factory=list)


def find_workloads(rule: Rule, alert: Alert, siblings: Sequence[Alert], claims: Claims, live: Live) -> Found:
    """Return what the rule means, or none and the decision that says why.

    Raises what `live` raises, and `NotYet` while a controller has not seen a workload's newest template.
    """
    try:
        resolved = _Resolved()
        for claim in claims.named:
            _resolve(claim, claims, live, (alert, siblings), resolved)
        named = _agreed(resolved, claims)
        if named is not None and rule.target.kubernetes and rule.target.kubernetes.pods is Pods.UPDATED:
            _check_updated(resolved)
        return locate(rule, alert, claims, _among_selected(named, claims, live)), None
    except CannotTell as answer:
        return (), answer.decision


def _resolve(
    claim: Claim, claims: Claims, live: Live, alerts: tuple[Alert, Sequence[Alert]], resolved: _Resolved
) -> None:
    """Follow one claim to its workload, or note why it leads nowhere."""
    namespace = claims.namespace
    match claim:
        case ForeignNamed():
            raise refused(Reason.WORKLOAD_UNKNOWN, foreign("what the alert is about", claim.kind, claim.name))
        case WorkloadNamed():
            _resolve_name(claim, claims, live, resolved)
        case ReplicaSetNamed():
            replica_set = live.replica_set(namespace, claim.name)
            if replica_set is None:
                detail = f"{claim.words} ({claim.by}) is gone from {claims.place}{claims.hint}"
                resolved.gone.append(refused(Reason.POD_GONE, detail))
            else:
                resolved.led.append(led_by_replica_set(claim.by, replica_set, namespace, live))
        case PodNamed():
            _resolve_pod(claim, namespace, live, alerts, resolved)


def _resolve_pod(
    claim: PodNamed, namespace: str, live: Live, alerts: tuple[Alert, Sequence[Alert]], resolved: _Resolved
) -> None:
    pod = live.pod(namespace, claim.name)
    if pod is not None and claim.uid in ("", pod.uid):
        resolved.led.append(led_by_pod(claim.by, pod, namespace, live))
        return
    try:
        resolved.led.append(led_by_gone_pod(claim, namespace, live, *alerts))
    except CannotTell as answer:
        # The exporter's own pod is in another namespace, and nothing in this one makes its name.
        if not (claim.maybe_exporter and answer.decision.reason is Reason.POD_GONE):
            resolved.gone.append(answer)


def _resolve_name(claim: WorkloadNamed, claims: Claims, live: Live, resolved: _Resolved) -> None:
    found = [w for kind in claim.kinds if (w := live.workload(claims.namespace, kind, claim.name)) is not None]
    if len(found) > 1:
        kinds = ", ".join(workload.words for workload in found)
        detail = (
            f"{claim.by} names {claim.name}, which is several things ({kinds}); say its kind, like deployment/"
        )
        raise held(Reason.INSTANCE_AMBIGUOUS, f"{detail}{claim.name}")
    if found:
        resolved.led.append(Led(claim.by, found[0]))
        return
    detail = (
        f"{claim.by} names {claim.words}, and there is none in {claims.place}{claims.hint}; "
        "correct the name or the namespace"
    )
    resolved.missing.append((claim, refused(Reason.WORKLOAD_UNKNOWN, detail)))


def _agreed(resolved: _Resolved, claims: Claims) -> WorkloadSeen | None:
    """Return the one workload that everything leads to; None where nothing is named."""
    workloads = {(led.workload.kind, led.workload.name): led.workload for led in resolved.led}
    if len(workloads) > 1:
        said = ", ".join(f"{led.by} leads to {led.workload.words}" for led in resolved.led)
        raise held(Reason.INSTANCE_AMBIGUOUS, f"what is named disagrees: {said}; nothing is guessed")
    if workloads and resolved.missing:
        claim, led = resolved.missing[0][0], resolved.led[0]
        detail = (
            f"what is named disagrees: {led.by} leads to {led.workload.words}, and {claim.by} names "
            f"{claim.words}, which is not in {claims.place}; nothing is guessed"
        )
        raise held(Reason.INSTANCE_AMBIGUOUS, detail)
    if workloads:
        return next(iter(workloads.values()))
    for _, answer in resolved.missing:
        raise answer
    for answer in resolved.gone:
        raise answer
    return None


def _check_updated(resolved: _Resolved) -> None:
    """Let only what is about the newest revision pass: older pods do not run the release that arrived."""
    for led in resolved.led:
        if led.updated is False:
            detail = (
                f"{led.by} is about an older revision of {led.workload.words}, not about the newest; "
                "`pods: any` takes the workload back all the same"
            )
            raise refused(Reason.STALE, detail)
    dark = next((led for led in resolved.led if led.updated is None), None)
    if dark is None and not resolved.gone:
        return
    if dark is None:
        detail = str(resolved.gone[0])
    else:
        detail = dark.unknown or f"{dark.by} is about a pod of {dark.workload.words}"
    raise refused(
        Reason.POD_GONE,
        f"{detail}; which revision it ran is unknown, and only a pod of the newest counts. "
        "`pods: any` lets every pod count",
    )


def _among_selected(named: WorkloadSeen | None, claims: Claims, live: Live) -> Sequence[WorkloadSeen]:
    """Return what is named, which the rule's selector must select too; without a name, all that it selects."""
    selector = claims.selector
    if named is not None:
        if selector is not None and not _selects(selector, named):
            detail = (
                f"the rule selects {_written(selector)}, and the alert leads to {named.words}, "
                "which does not carry that; nothing is guessed"
            )
            raise held(Reason.INSTANCE_AMBIGUOUS, detail)
        return (named,)
    where = None if claims.everywhere else claims.namespace
    selected = [w for w in live.workloads(where, tuple(WorkloadKind)) if _selects(selector or {}, w)]
    if not selected:
        place = f"any namespace of cluster {claims.cluster}" if claims.everywhere else claims.place
        detail = f"no workload in {place} has a pod template with {_written(selector or {})}; correct `selector:`"
        raise refused(Reason.WORKLOAD_UNKNOWN, detail)
    return sorted(selected, key=lambda one: (one.namespace, one.kind, one.name))


def _selects(selector: Mapping[str, str], workload: WorkloadSeen) -> bool:
    return all(workload.template_labels.get(key) == value for key, value in selector.items())


def _written(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in selector.items()) or "any labels"
