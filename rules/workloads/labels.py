"""What an alert's labels name, as the usual exporters write them.

Those are kube-state-metrics, the Prometheus operator, kubernetes-mixin and plain pod scrapes. Where a label's name
was taken, Prometheus left the exporter's own pod and namespace in it, and put what was measured into `exported_…`:
the latter is meant, and the exporter's pod never is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.instances import WorkloadKind
from rules.workloads.named import Claim, ForeignNamed, PodNamed, ReplicaSetNamed, WorkloadNamed, legal
from rules.workloads.names import KINDS, shortened, wrong_namespace, wrong_object_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.alerts import Alert

NAMESPACES = ("exported_namespace", "namespace", "kubernetes_namespace")
_PODS = ("exported_pod", "pod", "pod_name")
_PLAIN_PODS = ("kubernetes_pod_name",)
_EXPORTER = "kube-state-metrics"
_OF_EXPORTER = ("job", "container", "service", "pod", "kubernetes_pod_name")
_OWNERS = (("owner_kind", "owner_name"), ("created_by_kind", "created_by_name"))
_REPLICA_SET = "replicaset"
_NOBODY = "<none>"
"""What kube-state-metrics writes for a pod that nobody owns."""


def own_namespace(alert: Alert) -> str:
    """Return the namespace that was measured; empty where no label says one."""
    label = next((label for label in NAMESPACES if alert.labels.get(label)), None)
    return "" if label is None else legal(alert.labels[label], f"the label {label}", wrong_namespace)


def named_by_labels(alert: Alert, namespace: str) -> tuple[Claim, ...]:
    """Read what the labels name.

    They are at home in one of the alert's own namespaces: to a rule that looks in another of these they say
    nothing. One that looks in a third, which a label of its choice names, takes their names, but not their pod.
    """
    claims: list[Claim] = []
    home = own_namespace(alert) or namespace
    if home == namespace or namespace not in map(alert.labels.get, NAMESPACES):
        for kind in (*WorkloadKind, _REPLICA_SET):
            if found := _value(alert, f"exported_{kind}", kind):
                claims += [_of_kind(kind, found[1], f"the label {found[0]}")]
        claims += _mixin(alert)
        for kind_label, name_label in _OWNERS:
            claims += _owned(alert, kind_label, name_label)
    if home == namespace:
        claims += _pods(alert, _PODS)
    if (alert.labels.get("kubernetes_namespace") or home) == namespace:
        claims += _pods(alert, _PLAIN_PODS)
    return tuple(dict.fromkeys(claims))


def _mixin(alert: Alert) -> list[Claim]:
    """Read `workload` and `workload_type`."""
    found = _value(alert, "exported_workload", "workload")
    if found is None:
        return []
    label, name = found
    kind = alert.labels.get("exported_workload_type") or alert.labels.get("workload_type") or ""
    by = f"the label {label}"
    return [_of_kind(kind, name, by) if kind else WorkloadNamed(name, tuple(WorkloadKind), by)]


def _owned(alert: Alert, kind_label: str, name_label: str) -> list[Claim]:
    kind = alert.labels.get(kind_label, "")
    if kind in ("", _NOBODY) or alert.labels.get(name_label) in (None, "", _NOBODY):
        return []
    found = _value(alert, name_label)
    return [_of_kind(kind, found[1], f"the label {name_label}")] if found else []


def _of_kind(kind: str, name: str, by: str) -> Claim:
    if kind.lower() == _REPLICA_SET:
        return ReplicaSetNamed(name, by)
    if kind.lower() in KINDS:
        return WorkloadNamed(name, (KINDS[kind.lower()],), by)
    return ForeignNamed(shortened(kind).strip("`"), name, by)


def _pods(alert: Alert, labels: Sequence[str]) -> list[Claim]:
    """Read the labels that name a pod, but for that of the exporter that measured it."""
    beside_workload = _by_ksm(alert)
    found = [_value(alert, label) for label in labels if label == "exported_pod" or not is_exporters(alert, label)]
    return [
        PodNamed(name, f"the label {label}", _uid(alert), beside_workload)
        for label, name in filter(None, found)
        if not (beside_workload and _EXPORTER in name)
    ]


def _by_ksm(alert: Alert) -> bool:
    """Tell whether kube-state-metrics measured a workload: it writes no pod then, so a pod may be its own."""
    of_workload = any(alert.labels.get(kind) for kind in (*WorkloadKind, _REPLICA_SET))
    return of_workload and any(_EXPORTER in alert.labels.get(label, "") for label in _OF_EXPORTER)


def is_exporters(alert: Alert, label: str) -> bool:
    """Tell whether a plain `pod` is the exporter's: there is an exported one, or its namespace is another."""
    if label not in _PODS:
        return False
    exported = alert.labels.get("exported_namespace")
    return bool(alert.labels.get("exported_pod") or (exported and exported != alert.labels.get("namespace")))


def _uid(alert: Alert) -> str:
    return alert.labels.get("exported_uid") or alert.labels.get("uid") or ""


def _value(alert: Alert, *labels: str) -> tuple[str, str] | None:
    """Return the first of these labels that says something, with its checked value."""
    label = next((label for label in labels if alert.labels.get(label)), None)
    if label is None:
        return None
    return label, legal(alert.labels[label], f"the label {label}", wrong_object_name)


def looks_elsewhere(alert: Alert, namespace: str) -> str:
    """Say where else to look, for the usual mistake: the exporter's namespace instead of what it measured."""
    exported = alert.labels.get("exported_namespace", "")
    if not exported or exported == namespace or wrong_namespace(exported):
        return ""
    return f"; what the alert measures is in {exported} (its label exported_namespace): the rule looks elsewhere"
