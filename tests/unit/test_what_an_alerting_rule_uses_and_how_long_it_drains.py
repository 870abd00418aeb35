"""Which metrics an alerting rule's expression names, how far back it looks, and what `cleared-within: auto` is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerts import Alert
from workers.monitoring.promanswers import AlertingRule, RecordingRule
from workers.verifying.draining import behind, drains_s, may_fire_s
from workers.verifying.expressions import read_expression
from workers.verifying.recorded import look_up

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
    read = read_expression(promql)
    assert read is not None
    assert (read.metrics, read.reach_s) == (metrics, reach_s)


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
    read = read_expression(promql)
    assert read is not None
    assert (read.metrics, read.reach_s) == (metrics, reach_s)


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


@pytest.mark.parametrize(
    ("rules", "alert_for_s", "wanted"), [((FAST,), 900, 0), ((), 900, 900 + 300), ((), 0, 300), ((), None, 0)]
)
def test_how_long_an_alert_may_be_pending_unseen(rules, alert_for_s, wanted):
    """Only where Prometheus does not tell, and the rule says what the `for` is: that, and five minutes."""
    assert may_fire_s(rules, alert_for_s) == wanted


RECORDED = (
    RecordingRule("slo:errors:rate1h", "sum(rate(errors_total[1h])) / sum(rate(requests_total[1h]))"),
    RecordingRule("slo:errors:rate1h_was", "slo:errors:rate1h offset 30m"),
    RecordingRule("plain_name", "rate(errors_total[10m])"),
    RecordingRule("two:of_a_name", "rate(errors_total[5m])"),
    RecordingRule("two:of_a_name", "rate(errors_total[20m])"),
    RecordingRule("of:itself", "of:itself or rate(errors_total[5m])"),
    RecordingRule("of:tomorrow", "a function of(tomorrow)"),
    RecordingRule("at:once", "errors_total"),
    *(RecordingRule(f"deep:{level}", f"deep:{level + 1}") for level in range(8)),
)
THROUGH = {
    "slo:errors:rate1h > 0.1": 3600,
    "max_over_time(slo:errors:rate1h[15m]) > 0.1": 3600 + 900,
    "slo:errors:rate1h_was > 0.1": 3600 + 1800,
    "plain_name > 0": 600,
    "two:of_a_name > 0": 1200,
    "at:once > 0 and rate(errors_total[5m]) > 0": 300,
    "slo:errors:rate1h > 0.1 or rate(errors_total[1d])": 86_400,
    # Nobody knows: an hour.
    "from:elsewhere > 0": 3600,
    "from:elsewhere offset 1h > 0": 7200,
    "of:tomorrow > 0": 3600,
    "of:itself > 0": 3600,
    "deep:0 > 0": 3600,
}


def asked(names: frozenset[str]) -> list[RecordingRule]:
    """Answer as a Prometheus that selects by name."""
    return [rule for rule in RECORDED if rule.name in names]


@pytest.mark.parametrize("ask", [asked, lambda _: RECORDED], ids=["it selects", "it tells of all"])
@pytest.mark.parametrize(("promql", "wanted"), THROUGH.items(), ids=list(THROUGH))
def test_a_recorded_series_drains_as_long_as_what_it_is_made_of(promql, wanted, ask):
    """Whatever it is called, and through further recording rules; where nobody can tell, for an hour."""
    rule = AlertingRule("ShopFails", promql)
    assert drains_s([rule], 0, 30, look_up([promql], ask)) == wanted + 2 * 30 + 120


def test_where_prometheus_does_not_answer_a_recorded_series_drains_for_an_hour():
    """And whatever is recorded without a colon as if it were scraped: it is asked again with the next look."""
    for promql, wanted in (("slo:errors:rate1h > 0", 3600), ("plain_name > 0", 0)):
        found = look_up([promql], lambda _: None)
        assert drains_s([AlertingRule("ShopFails", promql)], 0, 30, found) == wanted + 2 * 30 + 120


def test_few_questions_are_asked_however_deep_or_broad_it_goes():
    """Five at most, about a hundred names each."""
    questions = []

    def ask(names):
        questions.append(names)
        return [RecordingRule(name, f"{name}a + {name}b") for name in names]

    look_up([" + ".join(f"m:{number}" for number in range(300))], ask)
    assert len(questions) == 5
    assert max(map(len, questions)) == 100
