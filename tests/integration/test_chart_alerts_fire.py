"""The chart's alerts on the controller itself, judged by Prometheus' promtool: each fires for its own trouble."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from testbed.chart_files import CHART
from testbed.chart_shapes import MINIMAL, SHAPES, of_kind
from testbed.helm_engine import Manifest, manifests, read_values
from testbed.parts import program

PREFIX = "rollback_controller_"
PAGE = CHART.parents[1] / "docs" / "reference" / "metrics.md"
NAMESPACE = "rollback"
MINUTES = 120
Series = Mapping[str, str]

RISES, STAYS, BEGINS = f"0+1x{MINUTES}", f"0+0x{MINUTES}", f"0+0x{MINUTES - 30} 1+0x30"
ONE, SOME, MANY = f"1+0x{MINUTES}", f"30+0x{MINUTES}", f"3600+0x{MINUTES}"

WELL: dict[str, str] = {
    'build_info{version="1"}': ONE,
    "ledger_up": ONE,
    "due_lag_seconds": STAYS,
    'rollbacks_unfinished{state="held"}': STAYS,
    'rollbacks_unfinished{state="acting"}': ONE,
    "alerts_awaiting_rule": STAYS,
    "rules_last_reload_successful": ONE,
    'notifications_total{code="202"}': RISES,
    'notifications_total{code="503"}': RISES,
    'notifications_total{code="401"}': SOME,
    'notifications_turned_away_total{want_of="places"}': SOME,
    "alerts_truncated_total": SOME,
    'cluster_seen_age_seconds{cluster="eu"}': SOME,
    "relearned_age_seconds": SOME,
    "orphans_woken_total": SOME,
    'messages_waiting{channel="chat"}': STAYS,
    "messages_nobody_told_total": SOME,
    "http_unexpected_errors_total": SOME,
}
"""What a scrape says while all is well, minute by minute: counters that once counted something have stopped."""

TROUBLE: dict[str, tuple[Series, str]] = {
    "Down": ({'build_info{version="1"}': ""}, ""),
    "LedgerDown": ({"ledger_up": STAYS}, ""),
    "NobodyWorks": ({"due_lag_seconds": MANY}, ""),
    "Held": ({'rollbacks_unfinished{state="held"}': ONE}, ""),
    "LoopBreakerOpen": ({'loop_breakers_open{service="shop"}': ONE}, 'service="shop"'),
    "RuleUnknown": ({"alerts_awaiting_rule": ONE}, ""),
    "RulesBroken": ({"rules_last_reload_successful": STAYS}, ""),
    "NotificationsRefused": ({'notifications_total{code="401"}': RISES}, ""),
    "NotificationsNotTaken": ({'notifications_total{code="202"}': SOME}, ""),
    "NotificationsTurnedAway": ({'notifications_turned_away_total{want_of="places"}': RISES}, ""),
    "AlertsTruncated": ({"alerts_truncated_total": BEGINS}, ""),
    "ClusterNotSeen": ({'cluster_seen_age_seconds{cluster="eu"}': MANY}, 'cluster="eu"'),
    "NotRelearning": ({"relearned_age_seconds": f"+Inf+0x{MINUTES}"}, ""),
    "Orphans": ({"orphans_woken_total": BEGINS}, ""),
    "PeopleNotReached": ({'messages_waiting{channel="chat"}': ONE}, 'channel="chat"'),
    "NobodyTold": ({"messages_nobody_told_total": BEGINS}, ""),
    "UnexpectedErrors": ({"http_unexpected_errors_total": BEGINS}, ""),
}
"""Alert without its prefix → what a scrape says then, and the labels that say what it is about."""


def rule_object(values: Mapping[str, Any]) -> Manifest:
    said = {**values, "metrics": {**values.get("metrics", {}), "prometheusRule": {"enabled": True}}}
    (rule,) = of_kind(manifests(said, namespace=NAMESPACE), "PrometheusRule")
    return rule


def promtool(folder: Path, *arguments: str) -> str:
    argv = [program("promtool"), *arguments]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(folder: Path, values: Mapping[str, Any]) -> list[str]:
    """Write the rules as the Prometheus operator does, and return the alerts' names."""
    spec = rule_object(values)["spec"]
    (folder / "rules.yml").write_text(json.dumps(spec))  # JSON is YAML
    return [rule["alert"] for group in spec["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_prometheus_takes_the_rules_of_every_shape(tmp_path: Path, shape: str) -> None:
    """Expressions, durations and the templates of annotations; what is only linted is said as well."""
    alerts = written(tmp_path, SHAPES[shape])
    assert f"{len(alerts)} rules found" in promtool(tmp_path, "check", "rules", "--lint-fatal", "rules.yml")


def test_each_alert_has_a_trouble_to_try_it_with() -> None:
    """A new one needs a row here."""
    known = [one["alert"] for one in read_values(CHART / "files" / "alerts.yaml")["alerts"]]
    assert sorted(known) == sorted(f"RollbackController{name}" for name in TROUBLE)


def test_what_is_tried_with_is_what_the_product_exports() -> None:
    """By name and by label, as the page has them, which is compared with the registry elsewhere."""
    rows = re.findall(rf"^\| `{PREFIX}(\w+)` \| \w+ \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    labels = {name: set(re.findall(r"`(\w+)`", listed)) for name, listed in rows}
    for series in {*WELL, *(series for bad, _ in TROUBLE.values() for series in bad)}:
        name, _, said = series.partition("{")
        assert set(re.findall(r"(\w+)=", said)) <= labels[name], series


def _told(series: Series, namespace: str) -> list[dict[str, str]]:
    found = []
    for name, values in series.items():
        metric, _, labels = name.rstrip("}").partition("{")
        listed = ",".join(part for part in (labels, f'namespace="{namespace}"') if part)
        found.append({"series": f"{PREFIX}{metric}{{{listed}}}", "values": values})
    return [one for one in found if one["values"]]


def _case(name: str, told: list[dict[str, str]], *firing: str) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": told,
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertstate="firing"}',
                "eval_time": f"{MINUTES}m",
                "exp_samples": [{"labels": f"ALERTS{{{labels}}}", "value": 1} for labels in firing],
            }
        ],
    }


def test_each_fires_for_its_trouble_and_none_besides(tmp_path: Path) -> None:
    """While all is well nothing fires, whatever an installation in another namespace says."""
    written(tmp_path, MINIMAL)
    told = read_values(CHART / "files" / "alerts.yaml")["alerts"]
    common = {one["alert"]: f'severity="{one["severity"]}",namespace="{NAMESPACE}"' for one in told}
    theirs = {series: values for bad, _ in TROUBLE.values() for series, values in bad.items()}
    cases = [_case("all is well", [*_told(WELL, NAMESPACE), *_told(theirs, "another")])]
    for short, (bad, labels) in TROUBLE.items():
        name = f"RollbackController{short}"
        fires = f'alertname="{name}",alertstate="firing",{common[name]}'
        fires = f"{fires},{labels}" if labels else fires
        cases.append(_case(name, _told({**WELL, **bad}, NAMESPACE), fires))
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "tests.yml").write_text(json.dumps(test))
    promtool(tmp_path, "test", "rules", "tests.yml")
