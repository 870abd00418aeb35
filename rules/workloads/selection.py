"""Which of the workloads found a rule selects, and which service each belongs to: by live labels alone.

The labels of the pod template count, because the pods carry them. A workload whose own labels say otherwise is
left to a person, and so is one that names no service; both stop none of the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadInstance
from rules.services import SERVICE_LABELS, service_said_by
from rules.targets import Located
from rules.templates import LabelMissing
from rules.workloads.answers import CannotTell, held, not_meant, refused
from rules.workloads.named import legal
from rules.workloads.names import wrong_label_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule, Target
    from rules.workloads.claims import Claims
    from rules.workloads.seen import WorkloadSeen

_MOST_TOLD = 5


def locate(rule: Rule, alert: Alert, claims: Claims, workloads: Sequence[WorkloadSeen]) -> tuple[Located, ...]:
    """Return those that the rule selects, each with its service.

    One that cannot be told is left out, and the others say so; raises `CannotTell` where there are no others.
    """
    found: list[Located] = []
    problems: list[CannotTell] = []
    for one in workloads:
        try:
            if _is_meant(rule.target, claims, one):
                instance = WorkloadInstance(claims.cluster, one.namespace, one.kind, one.name)
                found.append(Located(instance, _service_of_rule(rule, alert) or _service_of(one)))
        except CannotTell as problem:
            problems.append(problem)
    if not found and not problems:
        raise not_meant(Reason.NOT_SELECTED, _not_selected(rule.target, workloads))
    if not found:
        raise _together(problems)
    besides = f"left out: {_listed(problems)}" if problems else ""
    return tuple(replace(one, besides=besides) for one in found)


def _is_meant(target: Target, claims: Claims, workload: WorkloadSeen) -> bool:
    """Tell whether the rule selects it; raises `CannotTell` where it says one thing, and its pods another."""
    meant = target.scope.selects(workload.template_labels)
    if meant or target.scope.selects({**workload.template_labels, **workload.labels}):
        _check_agreement(target, claims, workload)
    return meant


def _together(problems: Sequence[CannotTell]) -> CannotTell:
    """Make one decision of several that left nothing: the first says which, and all are told."""
    return CannotTell(replace(problems[0].decision, detail=_listed(problems)))


def _listed(problems: Sequence[CannotTell]) -> str:
    details = list(dict.fromkeys(map(str, problems)))
    more = len(details) - _MOST_TOLD
    return "; ".join([*details[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _check_agreement(target: Target, claims: Claims, workload: WorkloadSeen) -> None:
    """Refuse a workload that says one thing of itself and another of its pods, where the rule goes by it."""
    for label in sorted({*target.only, *target.except_, *(claims.selector or ())}):
        own, of_pods = workload.labels.get(label), workload.template_labels.get(label, "")
        if own is not None and own != of_pods:
            detail = (
                f"{workload.words} is labelled {label}={own}, and its pods {label}={of_pods or '(nothing)'}; "
                "make them agree, then it is clear whether the rule means it"
            )
            raise refused(Reason.LABELS_CONTRADICT, detail)


def _service_of_rule(rule: Rule, alert: Alert) -> str:
    if rule.target.service is None:
        return ""
    try:
        service = rule.target.service.expand(alert.labels, alert.annotations)
    except LabelMissing as missing:
        raise refused(Reason.LABEL_MISSING, str(missing)) from missing
    return legal(service, f"the rule's service {rule.target.service}", wrong_label_value)


def _service_of(workload: WorkloadSeen) -> str:
    service = service_said_by(workload.template_labels)
    if service:
        return service
    detail = (
        f"no service is named: give the rule `target.service`, or the pod template of {workload.words} a label "
        f"{' or '.join(SERVICE_LABELS)}"
    )
    raise held(Reason.SERVICE_UNKNOWN, detail)


def _not_selected(target: Target, workloads: Iterable[WorkloadSeen]) -> str:
    only = [f"only {label}={'|'.join(values)}" for label, values in target.only.items()]
    without = [f"except {label}={'|'.join(values)}" for label, values in target.except_.items()]
    asked = (*target.only, *target.except_)
    seen = ", ".join(f"{one.words} ({_labels(one, asked)})" for one in workloads)
    return f"the rule selects {', '.join(only + without)}; the alert is about {seen}"


def _labels(workload: WorkloadSeen, asked: Sequence[str]) -> str:
    return ", ".join(
        f"{label}={workload.template_labels.get(label) or '(nothing)'}" for label in dict.fromkeys(asked)
    )
