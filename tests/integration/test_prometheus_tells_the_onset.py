"""A real Prometheus and Alertmanager: since when an alert's condition holds, what a query gives, what fires.

The onset lies before the alert's `startsAt` by the `for` of its rule, whatever labels were added on the way, and
is still known after Prometheus has been restarted.
"""

from __future__ import annotations

import json
import math
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from testbed import alertmanager as am
from testbed import prometheus as prom
from testbed.wait import until

from controller.settings import AlertmanagerSettings, PrometheusSettings
from rules.alerts import Alert
from rules.decisions import Reason
from rules.errors import Permanent
from rules.facts import Sample
from workers.monitoring import Alertmanager, Prometheus
from workers.monitoring.alertmanager import complete_for

RULES = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - {alert: ShopGone, expr: up == 0, for: 4s, labels: {severity: critical}}
      - {alert: ShopGone, expr: 'count(up == 0) > 0', for: 1s, labels: {severity: critical}}
      - {alert: Odd, expr: vector(1), labels: {said: 'a"} or up{b="\\\\ {{`{{`}}'}}
"""
FOR_MS = 4_000
NOBODY = "127.0.0.1:9"
"""A target that nobody answers for."""


@dataclass(frozen=True, slots=True)
class Watching:
    """Both servers, at work, and the alert of the one target."""

    folder: Path
    prometheus: int
    alertmanager: int
    alert: Alert


def asked(port: int) -> closing[Prometheus]:
    """Ask the Prometheus on a port."""
    return closing(Prometheus(PrometheusSettings(url=f"http://127.0.0.1:{port}", timeout_s=10)))


def firing(port: int, receiver: str | None = None) -> tuple[Alert, ...]:
    """Return what fires in the Alertmanager on a port."""
    settings = AlertmanagerSettings(url=f"http://127.0.0.1:{port}", receiver=receiver, timeout_s=10)
    with closing(Alertmanager(settings)) as alertmanager:
        return alertmanager.firing()


def of_the_target(alerts: tuple[Alert, ...]) -> Alert | None:
    """Pick the alert of the one target."""
    return next((alert for alert in alerts if alert.labels.get("instance") == "web1:8080"), None)


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """Start both, and wait until the target's alert fires."""
    folder = tmp_path_factory.mktemp("watching")
    token = folder / "token"
    token.write_text("secret")
    config = json.loads(am.receiver_config("http://127.0.0.1:9/", token))
    config["receivers"].append({"name": "others"})
    config["route"]["routes"] = [{"receiver": "others", "matchers": ['alertname="Odd"']}]
    targets = {NOBODY: {"instance": "web1:8080", "service": "shop"}}
    with (
        am.alertmanager(folder / "am", json.dumps(config)) as alertmanager,
        prom.prometheus(
            folder / "prom", targets, alertmanager.port, rules=RULES, external={"cluster": "eu"}
        ) as prometheus,
    ):
        alert = until(
            lambda: of_the_target(firing(alertmanager.port)), within_s=30, what="the target's alert fires"
        )
        yield Watching(folder, prometheus.port, alertmanager.port, alert)


def test_the_onset_is_earlier_than_the_start_by_the_rules_for(watching: Watching) -> None:
    """The alert carries the external label, which Prometheus' own does not; of two that fit, it is the nearer."""
    assert watching.alert.labels["cluster"] == "eu"
    with asked(watching.prometheus) as prometheus:
        onset = prometheus.active_since(watching.alert)
    assert onset is not None
    assert onset.source == "Prometheus activeAt"
    assert FOR_MS <= watching.alert.starts_at_ms - onset.value < FOR_MS + 2_000


@pytest.mark.parametrize(
    "labels",
    [
        {"alertname": "Unknown"},
        {"alertname": 'ShopGone"} or ALERTS_FOR_STATE{alertname!="'},
        {"alertname": "\\"},
        {"alertname": "a\nb\x00"},
        {"alertname": ""},
        {"severity": "}"},
        {"severity": 'critical"'},
    ],
    ids=repr,
)
def test_labels_that_are_not_the_alerts_find_no_onset(watching: Watching, labels: dict[str, str]) -> None:
    """They are compared, and go into a query as one quoted string at most: each is a label that does not fit."""
    stranger = replace(watching.alert, labels={**watching.alert.labels, **labels})
    with asked(watching.prometheus) as prometheus:
        assert prometheus.active_since(stranger) is None


def test_an_alert_whose_labels_look_like_promql_is_found_as_it_is(watching: Watching) -> None:
    """Quotes and braces in a label are text."""
    odd = next(alert for alert in firing(watching.alertmanager) if alert.labels["alertname"] == "Odd")
    assert '"} or up{' in odd.labels["said"]
    with asked(watching.prometheus) as prometheus:
        assert prometheus.active_since(odd) is not None
        assert prometheus.scraped({"instance": odd.labels["said"]}) is None


def test_an_alert_that_began_anew_since_has_no_onset_here(watching: Watching) -> None:
    """What Prometheus knows is younger than the alert: it is not when this trouble began."""
    older = replace(watching.alert, starts_at_ms=watching.alert.starts_at_ms - 3_600_000)
    with asked(watching.prometheus) as prometheus:
        assert prometheus.active_since(older) is None


@pytest.mark.parametrize(
    ("promql", "values"),
    [
        ("1 + 1", [2]),
        ("vector(0) / 0", [math.nan]),
        ("-1 / 0", [-math.inf]),
        ("vector(2)", [2]),
        ("nothing_of_the_kind", []),
        ('up{instance="web1:8080"}', [0]),
    ],
)
def test_a_query_gives_samples(watching: Watching, promql: str, values: list[float]) -> None:
    """A scalar is one sample without labels; no number is left out for being odd."""
    with asked(watching.prometheus) as prometheus:
        found = [sample.value for sample in prometheus.query(promql)]
    assert found == pytest.approx(values, nan_ok=True)


def test_a_sample_has_its_labels(watching: Watching) -> None:
    """All of them, so that old and new can be told apart."""
    with asked(watching.prometheus) as prometheus:
        found = prometheus.query("sum by (service) (up)")
    assert found == (Sample(0.0, {"service": "shop"}),)


@pytest.mark.parametrize(
    ("promql", "words"),
    [
        ("sum(", "for no query: invalid parameter"),
        ("up[1m]", "gives a matrix"),
        ("'text'", "gives a string"),
        ("", "for no query"),
    ],
)
def test_what_is_no_query_is_for_the_author_of_the_rule(watching: Watching, promql: str, words: str) -> None:
    """No retry heals it, and the message says what to do."""
    with asked(watching.prometheus) as prometheus, pytest.raises(Permanent, match=words) as caught:
        prometheus.query(promql)
    assert caught.value.reason is Reason.REQUIREMENT_UNKNOWN
    assert str(caught.value).endswith("Correct it in the rule.")


def test_whether_a_target_is_scraped(watching: Watching) -> None:
    """One that is down is not; of one that nobody knows, nothing is said."""
    with asked(watching.prometheus) as prometheus:
        down = prometheus.up("web1:8080")
        assert (down and down.value) is False
        assert prometheus.up("web2:8080") is None
        with pytest.raises(ValueError, match="cannot be a label"):
            prometheus.scraped({'a"b': "c"})


def test_what_fires_is_listed_as_it_would_be_notified(watching: Watching) -> None:
    """With Alertmanager's own fingerprint; all of it, or what is routed to our receiver only."""
    names = {alert.labels["alertname"] for alert in firing(watching.alertmanager)}
    assert names == {"ShopGone", "Odd"}
    ours = firing(watching.alertmanager, "rollback.controller")
    assert {alert.labels["alertname"] for alert in ours} == {"ShopGone"}
    assert firing(watching.alertmanager, "rollback-controller") == ()
    assert watching.alert in ours
    assert watching.alert.firing
    assert watching.alert.generator_url.startswith("http")


def test_a_silenced_alert_fires_none_the_less(watching: Watching) -> None:
    """And it is said that nobody would be told; Alertmanager's own list is what is believed."""
    silence = {
        "matchers": [{"name": "alertname", "value": "Odd", "isRegex": False, "isEqual": True}],
        "startsAt": am.stamp(0),
        "endsAt": am.stamp(3600),
        "createdBy": "a test",
        "comment": "quiet",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{watching.alertmanager}/api/v2/silences",
        data=json.dumps(silence).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5):
        pass
    with closing(Alertmanager(AlertmanagerSettings(url=f"http://127.0.0.1:{watching.alertmanager}"))) as asked_am:
        listed = until(
            lambda: [one for one in asked_am.listed() if one.silenced], within_s=10, what="the silence holds"
        )
    assert {one.alert.labels["alertname"] for one in listed} == {"Odd"}
    assert "Odd" in {alert.labels["alertname"] for alert in firing(watching.alertmanager)}


def test_absence_proves_something_only_where_the_rest_is_known(watching: Watching) -> None:
    """An Alertmanager that does not know what was heard is another one, or has forgotten."""
    known = firing(watching.alertmanager)
    assert complete_for([watching.alert], known)
    assert complete_for([replace(watching.alert, fingerprint="0" * 16, status="resolved")], known)
    assert not complete_for([watching.alert, replace(watching.alert, fingerprint="0" * 16)], known)


def test_the_onset_outlives_a_restart_of_prometheus(tmp_path: Path) -> None:
    """A `for` below its grace period begins anew then; what it stored when the alert began to fire still tells."""
    (tmp_path / "token").write_text("secret")
    config = am.receiver_config("http://127.0.0.1:9/", tmp_path / "token")
    targets = {NOBODY: {"instance": "web1:8080", "service": "shop"}}
    with am.alertmanager(tmp_path / "am", config) as alertmanager:
        with prom.prometheus(tmp_path / "prom", targets, alertmanager.port, rules=RULES) as prometheus:
            alert = until(
                lambda: of_the_target(firing(alertmanager.port)), within_s=30, what="the target's alert fires"
            )
            with asked(prometheus.port) as before:
                onset = before.active_since(alert)
        with (
            prom.prometheus(tmp_path / "prom", targets, alertmanager.port, rules=RULES) as again,
            asked(again.port) as after,
        ):
            found = until(lambda: after.active_since(alert), within_s=20, what="the onset is known again")
    assert onset is not None
    assert found.source == "Prometheus ALERTS_FOR_STATE"
    assert abs(found.value - onset.value) <= 1_000
