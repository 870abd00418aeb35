"""What the storm brake counts: the services that alerts seem to be about, by their labels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.services import service_said_by
from rules.targets import services_of
from rules.templates import LabelMissing

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.services import Inventory

_WORKLOADS = ("deployment", "statefulset", "daemonset", "workload")


def service_words(rule: Rule, alert: Alert, inventory: Inventory) -> frozenset[str]:
    """Return words for the services that a rule takes an alert to be about, before anybody looked at any of them.

    A brake only needs to tell services apart: those of the hosts that the alert names, by the inventory; else what
    its labels say.
    """
    if rule.target.hosts is not None:
        services = services_of(rule, alert, inventory)
        if services:
            return services
    return frozenset({_said(rule, alert)})


def _said(rule: Rule, alert: Alert) -> str:
    """Read labels. A workload counts before `service` and `job`, which may be those of the exporter."""
    if rule.target.service is not None:
        try:
            return rule.target.service.expand(alert.labels, alert.annotations)
        except LabelMissing:
            pass
    labels = alert.labels
    said = service_said_by(labels) or _workload(alert) or labels.get("service") or labels.get("job")
    return said or f"alert {labels.get('alertname', '')}"


def _workload(alert: Alert) -> str:
    labels = alert.labels
    name = next((labels[one] for one in _WORKLOADS if labels.get(one)), "")
    return f"{labels.get('namespace', '')}/{name}" if name else ""
