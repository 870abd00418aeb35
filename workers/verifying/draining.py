"""How long an alert takes to be gone once its cause is: what `cleared-within: auto` comes to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rules.alerts import Alert
from workers.monitoring.promanswers import AlertingRule
from workers.verifying.expressions import read_expression
from workers.verifying.recorded import NOTHING_RECORDED, Recorded

_USUAL_REACH_S = 300.0
"""What an expression looks back by where nobody can tell."""
_MARGIN_S = 120.0
"""Scraping, judging, grouping and the way to us."""


def drains_s(
    rules: Iterable[AlertingRule],
    alert_for_s: float,
    group_interval_s: float,
    recorded: Recorded = NOTHING_RECORDED,
) -> float:
    """Return what the slowest of these alerting rules needs; `alert_for_s` counts where there is none."""
    needs = [_reach_s(rule, recorded) + rule.for_s + rule.keep_s for rule in rules]
    return max(needs, default=_USUAL_REACH_S + alert_for_s) + 2 * group_interval_s + _MARGIN_S


def may_fire_s(rules: Collection[AlertingRule], alert_for_s: float | None) -> float:
    """Return how long after the change an alert may first fire that is not seen as pending before; 0: it is seen.

    `rules` are those behind the rollback, as Prometheus knows them: none where it cannot be asked.
    """
    return 0.0 if rules or alert_for_s is None else _USUAL_REACH_S + alert_for_s


def behind(rules: Iterable[AlertingRule], alerts: Iterable[Alert]) -> tuple[AlertingRule, ...]:
    """Return the alerting rules that these alerts may come from: of their names, and of those with their labels.

    Labels may be rewritten on the way to Alertmanager: where none fits, the name alone decides.
    """
    known = tuple(alerts)
    named = [(rule, alert) for rule in rules for alert in known if rule.name == alert.labels.get("alertname")]
    found = [rule for rule, alert in named if _may_give(rule, alert)] or [rule for rule, _ in named]
    return tuple({id(rule): rule for rule in found}.values())


def _may_give(rule: AlertingRule, alert: Alert) -> bool:
    return all("{{" in value or alert.labels.get(name, "") == value for name, value in rule.labels.items())


def _reach_s(rule: AlertingRule, recorded: Recorded) -> float:
    read = read_expression(rule.expression)
    return _USUAL_REACH_S if read is None else recorded.reach_s(read)
