"""What a rule about workloads would look for, and on which conditions, as far as an alert alone can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadInstance
from rules.rule import Pods
from rules.workloads.answers import held, refused
from rules.workloads.claims import read_claims
from rules.workloads.named import ForeignNamed, PodNamed, ReplicaSetNamed, WorkloadNamed
from rules.workloads.owners import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.workloads.claims import Claims
    from rules.workloads.named import Claim


@dataclass(frozen=True, slots=True)
class Expected:
    """What would be looked for. `instance` is None where only the cluster can say which workload it is."""

    instance: WorkloadInstance | None
    words: str
    conditions: tuple[str, ...]
    """What the cluster must confirm."""


def expect(rule: Rule, alert: Alert, clusters: Sequence[str]) -> Expected:
    """Say what would be looked for; raises `CannotTell` with the decision where nothing would be."""
    claims = read_claims(rule, alert, clusters)
    for claim in claims.named:
        if isinstance(claim, ForeignNamed):
            detail = foreign("what the alert is about", claim.kind, claim.name)
            raise refused(Reason.WORKLOAD_UNKNOWN, detail)
    return Expected(_named(claims), _words(claims), tuple(_conditions(rule, claims)))


def _named(claims: Claims) -> WorkloadInstance | None:
    """Return the workload that is named in full; two different ones disagree, whatever the cluster says."""
    exact = {
        WorkloadInstance(claims.cluster, claims.namespace, claim.kinds[0], claim.name): claim.by
        for claim in claims.named
        if isinstance(claim, WorkloadNamed) and len(claim.kinds) == 1
    }
    if len(exact) > 1:
        said = ", ".join(f"{by} names {instance.label}" for instance, by in exact.items())
        raise held(Reason.INSTANCE_AMBIGUOUS, f"what is named disagrees: {said}; nothing is guessed")
    return next(iter(exact), None)


def _words(claims: Claims) -> str:
    if not claims.named:
        where = f"any namespace of cluster {claims.cluster}" if claims.everywhere else claims.place
        labels = ",".join(f"{key}={value}" for key, value in (claims.selector or {}).items())
        return f"every workload in {where}" + (f" whose pods carry {labels}" if labels else "")
    # A workload's own name says more than that of a ReplicaSet, and that more than a pod's.
    claim = min(claims.named, key=_vagueness)
    owned = isinstance(claim, PodNamed | ReplicaSetNamed)
    return f"{'whatever owns ' if owned else ''}{claim.words} in {claims.place}"


def _vagueness(claim: Claim) -> int:
    if isinstance(claim, WorkloadNamed):
        return len(claim.kinds)
    return 10 if isinstance(claim, ReplicaSetNamed) else 20


def _conditions(rule: Rule, claims: Claims) -> Iterator[str]:
    for label, values in rule.target.only.items():
        yield f"its pods carry {label}={'|'.join(values)}"
    for label, values in rule.target.except_.items():
        yield f"its pods do not carry {label}={'|'.join(values)}"
    if claims.named and claims.selector:
        yield "its pods carry " + ",".join(f"{key}={value}" for key, value in claims.selector.items())
    if len({claim.words for claim in claims.named}) > 1:
        others = ", ".join(dict.fromkeys(claim.words for claim in claims.named))
        yield f"all that is named leads to it ({others})"
    within = rule.target.kubernetes
    pods = [claim.words for claim in claims.named if isinstance(claim, PodNamed | ReplicaSetNamed)]
    if within is not None and within.pods is Pods.UPDATED and pods:
        yield f"{pods[0]} is of its newest revision"
