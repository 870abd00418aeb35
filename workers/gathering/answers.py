"""What Prometheus says to the questions of a rule."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from rules.alerts import Alert
from rules.errors import RollbackError
from rules.facts import Answers, Fact, Sample
from rules.promql import PromqlTemplate
from rules.rule import Rule
from rules.templates import LabelMissing
from workers.monitoring.prometheus import Prometheus

log = structlog.get_logger(__name__)


def answers(prometheus: Prometheus | None, rule: Rule, alert: Alert | None, now_ms: int) -> Answers:
    """Ask everything that a rule wants to know; the answers are by the query as the rule writes it.

    What could not be asked is None: without Prometheus, without the label that a query names, without an answer.
    """
    return {query: _answer(prometheus, query, alert, now_ms) for query in _queries(rule)}


def _queries(rule: Rule) -> Iterable[str]:
    yield from (requirement.promql for requirement in rule.require)
    caused = rule.guards.caused_by_release
    if caused is not None and caused.compare is not None:
        yield caused.compare.query


def _answer(
    prometheus: Prometheus | None, query: str, alert: Alert | None, now_ms: int
) -> Fact[tuple[Sample, ...]] | None:
    if prometheus is None:
        return None
    try:
        text = PromqlTemplate(query).expand(alert.labels if alert else {}, alert.annotations if alert else {})
        return Fact(prometheus.query(text), "Prometheus", now_ms)
    except (LabelMissing, RollbackError) as e:
        log.warning("prometheus.no_answer", query=query, error=str(e))
        return None
