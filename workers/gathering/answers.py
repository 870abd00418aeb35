"""What Prometheus says to the questions of a rule."""

from __future__ import annotations

import structlog

from rules.alerts import Alert
from rules.errors import RollbackError
from rules.facts import Answers, Fact, Sample
from rules.guards.asking import queries
from rules.rule import Rule
from workers.gathering.sparing import Sparing

log = structlog.get_logger(__name__)


def answers(prometheus: Sparing | None, rule: Rule, alert: Alert | None, now_ms: int) -> Answers:
    """Ask everything that a rule wants to know. What could not be asked is None."""
    return {query: _answer(prometheus, query, now_ms) for query in queries(rule, alert)}


def _answer(prometheus: Sparing | None, query: str, now_ms: int) -> Fact[tuple[Sample, ...]] | None:
    if prometheus is None:
        return None
    try:
        return Fact(prometheus.query(query), "Prometheus", now_ms)
    except RollbackError as e:
        log.warning("prometheus.no_answer", query=query, error=str(e))
        return None
