"""Which of the workloads found a rule selects, and which service each belongs to: by live labels alone.

The labels of the pod template count, because the pods carry them. A workload whose own labels say otherwise is
left to a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadInstance
from rules.targets import Located
from rules.templates import LabelMissing
from rules.workloads.answers import held, not_meant, refused
from rules.workloads.named import legal
from rules.workloads.names import wrong_label_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule, Target
    from rules.workloads.claims import Claims
    from rules.workloads.seen import WorkloadSeen

SERVICE_LABELS = ("app.kubernetes.io/name", "app")


def locate(rule: Rule, alert: Alert, claims: Claims, workloads: Sequence[WorkloadSeen]) -> tuple[Located, ...]:
    """Return those that the rule selects, each with its service; raises `CannotTell` where there are none."""
    target = rule.target
    selected = [one for one in workloads if selects(target, one.template_labels)]
    for one in workloads:
        own = {**one.template_labels, **one.labels}
        if one in selected or selects(target, own):
            _check_agreement(target, claims, one)
    if not selected:
        raise not_meant(Reason.NOT_SELECTED, _not_selected(target, workloads))
    service = _service_of_rule(rule, alert)
    return tuple(
        Located(WorkloadInstance(claims.cluster, one.namespace, one.kind, one.name), service or _service_of(one))
        for one in selected
    )


def selects(target: Target, labels: Mapping[str, str]) -> bool:
    """Tell whether `only` and `except` let these labels pass; a label that is missing is an empty one."""
    wanted = all(labels.get(label, "") in values for label, values in target.only.items())
    unwanted = any(labels.get(label, "") in values for label, values in target.except_.items())
    return wanted and not unwanted


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
    service = next(
        (workload.template_labels[one] for one in SERVICE_LABELS if workload.template_labels.get(one)), ""
    )
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
