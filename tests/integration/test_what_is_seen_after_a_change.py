"""What is seen after a change, with a real Prometheus and Alertmanager: enough to tell silence from recovery."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from testbed import alertmanager as am
from testbed import prometheus as prom
from testbed.exporter import Exporter, exporter
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Episode, Rollback, State, connect
from controller.settings import AlertmanagerSettings, PrometheusSettings
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.alerts import Alert
from rules.inventory import Host, Inventory, Restart, RestartKind, Service
from rules.rulefile import parse_rules
from rules.verification import NotYet, Seen, Verdict, judge
from workers.finding import Finding, NoClusters
from workers.monitoring import Alertmanager, Prometheus
from workers.site import Site
from workers.terms import Terms
from workers.verifying import Verifying

WEB2 = "hosts/default/shop/web2"
ALERTING = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopFails
        expr: sum by (instance, service, version) (max_over_time(shop_errors[2s])) > 0
        for: 1s
        keep_firing_for: 2s
        labels: {severity: critical}
      - {alert: ShopSlow, expr: shop_seconds > 1, for: 1m}
      - {record: "shop:errors:max10m", expr: "max by (instance) (max_over_time(shop_errors[10m]))"}
      - {record: "shop:errors:avg30m", expr: "avg_over_time(shop:errors:max10m[30m])"}
      - {alert: ShopBurns, expr: "shop:errors:avg30m > 1000"}
"""
RULES = parse_rules(
    """
version: rules/v1
rules:
  - name: shop-fails
    when: {matchers: ['alertname=~"ShopFails|ShopSlow"'], alert-for: 1m}
    target: {hosts: {instance: "{{ $labels.instance }}"}, service: "{{ $labels.service }}"}
""",
    "rules.yaml",
)
(RULE,) = RULES.rules
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class World:
    """The monitoring of one application, and who looks at it."""

    shop: Exporter
    prometheus: prom.Prometheus
    alertmanager: am.Alertmanager
    token: Path

    def value(self, promql: str) -> float | None:
        """Return the one value of a query."""
        found = self.prometheus.query(promql)
        return float(found[0]["value"][1]) if found else None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start everything once; each test says anew what the application tells."""
    folder = tmp_path_factory.mktemp("monitoring")
    token = folder / "token"
    token.write_text("secret")
    config = am.receiver_config("http://127.0.0.1:9/", token)
    with exporter() as shop, am.alertmanager(folder / "am", config) as alertmanager:
        shop.tells("shop_up 1")
        targets = {shop.address: {"service": "shop"}}
        with prom.prometheus(folder / "prom", targets, alertmanager.port, rules=ALERTING) as prometheus:
            yield World(shop, prometheus, alertmanager, token)


def nothing_fires(world: World) -> bool:
    """Whether what an earlier test let fire is over."""
    return not world.prometheus.query("ALERTS") and not world.alertmanager.alerts()


@pytest.fixture
def look(world: World, redis_server: Redis) -> Iterator[Callable[..., Seen]]:
    """Give a way to look at what was changed: with the application's own label, or as another's."""
    world.shop.tells("shop_up 1")
    until(lambda: nothing_fires(world), within_s=30, what="nothing fires from before")
    numbers = Numbers(group_interval_s=1)
    settings = RedisSettings(url=redis_server.url)
    ledger = connect(settings, numbers, "worker")

    def seen(
        changed_ms: int,
        *episodes: Episode,
        checks: tuple[Mapping[str, Any], ...] = (),
        cleared_within_s: float | None = HOUR_S,
        instance: str = world.shop.address,
        alertmanager: int = world.alertmanager.port,
    ) -> Seen:
        with site(world, ledger, numbers, instance, alertmanager) as where:
            verifying = Verifying(where)
            try:
                rollback = Rollback(
                    "rb1", WEB2, "shop", "web2", State.VERIFYING,
                    rule="shop-fails", rule_digest=RULE.digest, changed_ms=changed_ms, committed_ms=changed_ms,
                )  # fmt: skip
                terms = Terms(checks=checks, cleared_within_s=cleared_within_s)
                return verifying.look(rollback, terms, episodes, now_ms())
            finally:
                verifying.close()

    yield seen
    ledger.close()


@contextmanager
def site(world: World, ledger: Any, numbers: Numbers, instance: str, alertmanager: int) -> Iterator[Site]:
    """Give a worker's site that looks after one host with these labels."""
    restart = Restart(RestartKind.COMMAND, argv=("true",))
    host = Host("web2", "192.0.2.7", instance=instance)
    inventory = Inventory(
        services={"shop": Service("shop", releases="/opt/r", current="/opt/c", restart=restart, hosts=(host,))},
        local=True,
    )
    asked = PrometheusSettings(url=f"http://127.0.0.1:{world.prometheus.port}", timeout_s=10)
    told = AlertmanagerSettings(url=f"http://127.0.0.1:{alertmanager}", timeout_s=10)
    yield Site(
        numbers=numbers,
        house=SimpleNamespace(rules=RULES, inventory=inventory),
        ledger=ledger,
        lease_ledger=lambda: ledger,
        reach=None,
        find=lambda: Finding(inventory, NoClusters()),
        prometheus=lambda: Prometheus(asked),
        alertmanager=lambda: Alertmanager(told),
    )


def now_ms() -> int:
    """Return the time; everything here runs by one clock."""
    return time.time_ns() // 1_000_000


def resolved(world: World, at_ms: int, name: str = "ShopFails", **labels: str) -> Episode:
    """Return the episode of an alert about the application that is over."""
    told = {"alertname": name, "instance": world.shop.address, "service": "shop", "severity": "critical", **labels}
    alert = Alert("f1", "resolved", told, {}, at_ms - 60_000)
    return Episode("f1", open=False, first_ms=at_ms - 60_000, heard_ms=at_ms, closed_ms=at_ms, alert=alert)


def fires(world: World, episode: Episode) -> Episode:
    """Return the same, not over."""
    return replace(episode, open=True, closed_ms=None)


def changed(world: World, before: str, *after: str) -> int:
    """Let the application tell one series, then others; return when it changed, once Prometheus has seen it."""
    world.shop.tells(before)
    earlier = f"{before.rpartition(' ')[0]} offset 2s"
    until(lambda: world.value(earlier) is not None, within_s=10, what="Prometheus knows it from before")
    at_ms = now_ms()
    world.shop.tells(*after)
    return at_ms


def is_quiet(seen: Seen) -> Seen:
    """Return what is judged of the same once nothing more can come."""
    return replace(seen, now_ms=seen.now_ms + round(seen.cleared_within_s * 1000) + 60_000)


def outcome(seen: Seen) -> str:
    """Return what it is judged to be."""
    found = judge(seen)
    return f"{found.outcome} {found.reason}" if isinstance(found, Verdict) else "not yet"


def test_an_alert_whose_series_ended_while_the_old_version_fails_too(world: World, look: Any) -> None:
    """It resolved because its version is gone; the same alert about the other version fires for the instance."""
    at_ms = changed(world, 'shop_errors{version="v2"} 5', 'shop_errors{version="v1"} 5')
    over = resolved(world, at_ms, version="v2")

    def others() -> Seen | None:
        seen: Seen = look(at_ms, over)
        return seen if any(one.firing and one.fingerprint != over.fingerprint for one in seen.troubles) else None

    seen = until(others, within_s=30, what="the alert about v1 fires")
    assert isinstance(judge(seen), NotYet)
    until(lambda: look(at_ms, over, cleared_within_s=1).now_ms - at_ms > 3_000, within_s=10, what="it drained")
    assert outcome(look(at_ms, over, cleared_within_s=1)) == "ineffective still-firing"


def test_an_alert_that_is_only_pending_is_not_over_and_no_evidence(world: World, look: Any) -> None:
    """Its condition holds: nobody may call that recovered; it does not fire: nobody may call that proof."""
    at_ms = changed(world, "shop_seconds 0.1", "shop_seconds 7")
    over = resolved(world, at_ms, "ShopSlow")

    def pending() -> Seen | None:
        seen: Seen = look(at_ms, over)
        return seen if any(one.firing for one in seen.troubles) else None

    seen = until(pending, within_s=15, what="Prometheus knows it as pending")
    assert outcome(is_quiet(replace(seen, cleared_within_s=1))) == "inconclusive not-heard"


def test_quiet_under_watch_is_recovered(world: World, look: Any) -> None:
    """Scraped, the metric still there, nothing fires."""
    at_ms = changed(world, 'shop_errors{version="v2"} 0', 'shop_errors{version="v1"} 0')
    until(lambda: world.value('shop_errors{version="v1"}') is not None, within_s=10, what="it is scraped again")
    seen = look(at_ms, resolved(world, at_ms, version="v2"))
    assert (seen.watched, seen.scraped and seen.scraped.value, seen.gone, seen.blind) == (True, True, (), "")
    assert outcome(is_quiet(seen)) == "recovered cleared"


def test_an_instance_that_is_no_longer_scraped(world: World, look: Any) -> None:
    """No alert fires because nobody looks."""
    at_ms = changed(world, 'shop_errors{version="v2"} 0')
    until(lambda: world.value("up") == 0, within_s=10, what="it is not scraped")
    seen = look(at_ms, resolved(world, at_ms, version="v2"))
    assert (seen.watched, seen.scraped and seen.scraped.value) == (True, False)
    assert outcome(is_quiet(seen)) == "inconclusive not-scraped"


def test_an_instance_that_never_was_a_target(world: World, look: Any) -> None:
    """That it is not scraped says nothing; nor do metrics that never came from it."""
    at_ms = now_ms()
    seen = look(at_ms, resolved(world, at_ms), instance="unheard-of:1")
    assert (seen.watched, seen.scraped, seen.gone, seen.blind) == (False, None, (), "")


def test_a_metric_that_is_gone(world: World, look: Any) -> None:
    """The other release does not have what the alert is judged by."""
    at_ms = changed(world, 'shop_errors{version="v2"} 0', "shop_up 1")
    over = resolved(world, at_ms, version="v2")

    def gone() -> Seen | None:
        seen: Seen = look(at_ms, over)
        return seen if seen.gone and seen.scraped and seen.scraped.value else None

    seen = until(gone, within_s=15, what="it is scraped, and the metric is known to be gone")
    assert seen.gone == ("shop_errors",)
    assert outcome(is_quiet(seen)) == "inconclusive metric-gone"


CHECKS = {
    "true": ('shop_up{service="{{ $labels.service }}"}', "== 1", 0, True, ""),
    "true, a scalar": ("scalar(shop_up)", "> 0", 0, True, ""),
    "false": ("shop_up", "> 1", 0, False, "it gives 1"),
    "false, and for long": ("shop_up", "> 1", 60, False, "it gives 1"),
    "without a sample": ("shop_orders", "> 0", 0, None, "it gives no sample"),
    "no number": ("shop_up * NaN", "> 0", 0, None, "it gives no sample"),
    "not yet for so long": ("shop_up", "> 0", 60, None, "the change is not 1m ago"),
    "no PromQL": ("shop_up{", "> 0", 0, None, "Prometheus takes shop_up{ for no query"),
    "a label that is not there": ('shop_up{a="{{ $labels.a }}"}', "> 0", 0, None, "does not have the label"),
}


@pytest.mark.parametrize(("promql", "is_", "for_s", "holds", "said"), CHECKS.values(), ids=CHECKS)
def test_a_check(world: World, look: Any, promql: str, is_: str, for_s: float, holds: bool, said: str) -> None:
    """True, false, or not known, and then why."""
    until(lambda: world.value("shop_up") == 1, within_s=10, what="it is scraped")
    at_ms = now_ms()
    seen = look(at_ms, resolved(world, at_ms), checks=({"promql": promql, "is": is_, "for": for_s},))
    (found,) = seen.checks
    assert (found.holds, said in found.detail) == (holds, True), found


def test_a_check_must_hold_all_the_time(world: World, look: Any) -> None:
    """From the change on, and nothing from before it counts."""
    at_ms = changed(world, "shop_up 0", "shop_up 1")
    check = {"promql": "shop_up", "is": "== 1", "for": 2.0}

    def held(since_ms: int) -> bool | None:
        (found,) = look(since_ms, resolved(world, since_ms), checks=(check,)).checks
        return found.holds

    until(lambda: held(at_ms) is True, within_s=15, what="it held for two seconds")
    world.shop.tells("shop_up 0")
    until(lambda: held(at_ms) is False, within_s=10, what="it does not hold now")
    world.shop.tells("shop_up 1")
    until(lambda: world.value("shop_up") == 1, within_s=10, what="it holds again")
    assert held(at_ms) is None, "it did not hold all the time"


def test_how_long_the_alert_needs_is_asked_of_prometheus(world: World, look: Any) -> None:
    """Range 2 s, `for` 1 s, `keep_firing_for` 2 s, two group intervals of 1 s, two minutes."""
    at_ms = now_ms()
    seen = look(at_ms, resolved(world, at_ms), cleared_within_s=None)
    assert seen.cleared_within_s == 2 + 1 + 2 + 2 * 1 + 120
    slow = look(at_ms, resolved(world, at_ms, "ShopSlow"), cleared_within_s=None)
    assert slow.cleared_within_s == 60 + 2 * 1 + 120
    burns = look(at_ms, resolved(world, at_ms, "ShopBurns"), cleared_within_s=None)
    assert burns.cleared_within_s == 600 + 1800 + 2 * 1 + 120, "through what is recorded"
    unknown = look(at_ms, resolved(world, at_ms, "NobodyKnows"), cleared_within_s=None)
    assert unknown.cleared_within_s == 300 + 60 + 2 * 1 + 120
    assert (seen.may_fire_s, unknown.may_fire_s) == (0, 300 + 60), "what is pending is seen, or may be for so long"


def test_a_silenced_alert_is_neither_over_nor_evidence(world: World, look: Any) -> None:
    """Alertmanager lists it, and would tell nobody."""
    at_ms = changed(world, 'shop_errors{version="v9"} 0', 'shop_errors{version="v9"} 1')
    behind = fires(world, resolved(world, at_ms, version="v9"))
    until(world.alertmanager.alerts, within_s=20, what="the alert fires")
    fingerprint = world.alertmanager.alerts()[0]["fingerprint"]
    behind = replace(behind, fingerprint=fingerprint, alert=replace(behind.alert, fingerprint=fingerprint))
    world.alertmanager.silence("version", "v9")
    seen = until(
        lambda: (found := look(at_ms, behind)).troubles[0].suppressed and found, within_s=10, what="it is silenced"
    )
    assert outcome(replace(seen, now_ms=at_ms + 7200_000)) == "inconclusive alert-suppressed"


def test_trap_06_alertmanager_is_away_while_a_change_is_verified(world: World, look: Any) -> None:
    """Neither recovered nor ineffective: it is waited for, past cleared-within, and then nobody knows."""
    at_ms = changed(world, 'shop_errors{version="v2"} 0', 'shop_errors{version="v1"} 0')
    until(lambda: world.value('shop_errors{version="v1"}') is not None, within_s=10, what="it is scraped again")
    seen = look(at_ms, resolved(world, at_ms), alertmanager=free_port(), cleared_within_s=60)
    assert "Alertmanager at" in seen.blind
    later = replace(seen, now_ms=at_ms + 61_000)
    assert isinstance(judge(later), NotYet)
    assert outcome(replace(seen, now_ms=at_ms + 62_000)) == "inconclusive monitoring-blind"
    back = look(at_ms, resolved(world, at_ms), cleared_within_s=60)
    assert outcome(replace(back, now_ms=at_ms + 61_000)) == "recovered cleared"
