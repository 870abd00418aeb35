"""What the storm brake counts: the services that alerts seem to be about, by their labels alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.services import service_said_by
from rules.templates import LabelMissing

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.rule import Rule


def service_word(rule: Rule, alert: Alert) -> str:
    """Return a word for the service that a rule takes an alert to be about, before anybody looked.

    A brake only needs to tell services apart: where no label says one, the job does, and last the alert's name.
    """
    if rule.target.service is not None:
        try:
            return rule.target.service.expand(alert.labels, alert.annotations)
        except LabelMissing:
            pass
    labels = alert.labels
    said = service_said_by(labels) or labels.get("service") or labels.get("job")
    return said or f"alert {labels.get('alertname', '')}"
