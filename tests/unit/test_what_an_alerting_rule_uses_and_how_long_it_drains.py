"""Which metrics an alerting rule's expression names, how far back it looks, and what `cleared-within: auto` is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerts import Alert
from workers.monitoring.promanswers import AlertingRule
from workers.verifying.draining import behind, drains_s
from workers.verifying.expressions import Expression, read_expression

EXPRESSIONS = {
    "shop_errors > 0": ({"shop_errors"}, 0),
    "sum by (version) (rate(errors_total[5m])) / sum by (version) (rate(requests_total[10m])) > 0.05": (
        {"errors_total", "requests_total"}, 600
    ),
    "rate(errors_total[5m] offset 1h) > 0": ({"errors_total"}, 3900),
    "max_over_time(rate(errors_total[5m])[1h:1m] offset 10m) > 0": ({"errors_total"}, 4500),
    "errors_total offset 1d > 0": ({"errors_total"}, 86_400),
    "job:errors:rate5m > 0": ({"job:errors:rate5m"}, 0),
    '{__name__="errors_total", code="500"} > 0': ({"errors_total"}, 0),
    '{__name__=~"errors_.+"} > 0': (set(), 0),
    "absent(up) or ALERTS > 0 unless ALERTS_FOR_STATE": ({"up"}, 0),
    "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[2m]))) > vector(1)": ({"seconds_bucket"}, 120),
    'up{job="a[1h]"} == 0  # rate(x[2h])': ({"up"}, 0),
    "vector(1) > 0": (set(), 0),
}  # fmt: skip


@pytest.mark.parametrize(("promql", "wanted"), EXPRESSIONS.items(), ids=list(EXPRESSIONS))
def test_an_expression_is_read(promql, wanted):
    """Its metrics, and how old the oldest sample may be that it uses; text and comments are neither."""
    metrics, reach_s = wanted
    assert read_expression(promql) == Expression(frozenset(metrics), reach_s)


@given(st.text(max_size=60))
def test_what_is_no_expression_is_not_read(promql):
    """Or it is; nothing else comes of any text."""
    assert read_expression(promql) is None or read_expression(promql).reach_s >= 0


DEEP = {
    "a long sum": ("x" + " + x" * 600, {"x"}, 0),
    "braces in braces": ("(" * 1000 + "rate(y[5m])" + ")" * 1000, {"y"}, 300),
}


@pytest.mark.parametrize(("promql", "metrics", "reach_s"), DEEP.values(), ids=DEEP)
def test_what_is_nested_deep_is_read(promql, metrics, reach_s):
    """Rules that a program wrote are; the depth costs no more than the length."""
    assert read_expression(promql) == Expression(frozenset(metrics), reach_s)


TOO_DEEP = {"a sum": "x" + "+x" * 9000, "brackets": "(" * 9000 + "x" + ")" * 9000, "signs": "-" * 90_000 + "x"}


@pytest.mark.parametrize("promql", TOO_DEEP.values(), ids=TOO_DEEP)
def test_what_would_end_the_process_is_not_read(promql):
    """The parser descends with what is nested, and nothing catches what becomes of its stack."""
    assert read_expression(promql) is None


def alert(**labels: str) -> Alert:
    """Return an alert with these labels."""
    return Alert("f", "firing", {"alertname": "ShopFails", **labels}, {}, 0)


FAST = AlertingRule("ShopFails", "rate(errors_total[5m]) > 0", 120, 0, {"severity": "warning"})
SLOW = AlertingRule("ShopFails", "rate(errors_total[1h]) > 0", 600, 300, {"severity": "critical"})
TEMPLATED = AlertingRule("ShopFails", "errors_total > 0", 0, 0, {"team": "{{ $labels.owner }}"})
OTHER = AlertingRule("ShopGone", "up == 0", 60)
RULES = (FAST, SLOW, OTHER)


@pytest.mark.parametrize(
    ("rules", "labels", "wanted"),
    [
        (RULES, {"severity": "warning"}, (FAST,)),
        (RULES, {"severity": "critical"}, (SLOW,)),
        (RULES, {"severity": "rewritten on the way"}, (FAST, SLOW)),
        ((TEMPLATED, OTHER), {"team": "shop"}, (TEMPLATED,)),
        (RULES, {"alertname": "Unknown"}, ()),
    ],
)
def test_the_rules_an_alert_comes_from(rules, labels, wanted):
    """By its name and the labels that a rule gives; where those were rewritten, by its name."""
    assert behind(rules, [alert(**labels)]) == wanted


@pytest.mark.parametrize(
    ("rules", "alert_for_s", "wanted"),
    [
        ((FAST,), 0, 300 + 120),
        ((SLOW,), 0, 3600 + 600 + 300),
        ((FAST, SLOW), 0, 3600 + 600 + 300),
        ((FAST,), 999, 300 + 120),
        ((), 0, 300),
        ((), 600, 300 + 600),
        ((AlertingRule("New", "a function of(tomorrow)", 60),), 0, 300 + 60),
    ],
)
def test_how_long_an_alert_drains(rules, alert_for_s, wanted):
    """Range, `for`, `keep_firing_for` of the slowest, two group intervals, two minutes; unknown: five minutes."""
    assert drains_s(rules, alert_for_s, 30) == wanted + 2 * 30 + 120
