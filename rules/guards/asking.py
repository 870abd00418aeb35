"""What Prometheus said to a rule's queries. A query is sent with the alert's labels in it, as quoted strings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rules.promql import PromqlTemplate
from rules.templates import LabelMissing, TemplateError

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.facts import Case, Fact, Sample
    from rules.rule import Rule


def queries(rule: Rule, alert: Alert | None) -> tuple[str, ...]:
    """Return every query whose answer a judgement under this rule rests on, as it is to be sent.

    What asks for a label that the alert does not carry is left out; its guard holds then.
    """
    caused = rule.guards.caused_by_release
    compare = caused.compare if caused is not None and alert is not None else None
    written = [requirement.promql for requirement in rule.require]
    if compare is not None:
        written.append(compare.query)
    return tuple(dict.fromkeys(text for one in written if (text := as_sent(one, alert)) is not None))


def as_sent(promql: str, alert: Alert | None) -> str | None:
    """Return a query with the alert's labels in it; None where it asks for one that is not there."""
    try:
        if alert is None:
            return PromqlTemplate(promql).expand({}, {})
        return PromqlTemplate(promql).expand(alert.labels, alert.annotations)
    except (LabelMissing, TemplateError):
        return None


def answered(case: Case, promql: str) -> Fact[tuple[Sample, ...]] | None:
    """Return what was said to a query; None where it could not be asked."""
    sent = as_sent(promql, case.alert.alert if case.alert else None)
    return None if sent is None else case.answers.get(sent)


def numbers(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return the samples that say something: 0/0 is no number."""
    return tuple(sample for sample in samples if not math.isnan(sample.value))
