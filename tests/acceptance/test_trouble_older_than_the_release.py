"""A real Prometheus knows when trouble began: earlier than the alert's start, by its rule's `for`; that counts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alertmanager, receiver_config
from testbed.commands import does
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.programs import free_port
from testbed.prometheus import Prometheus, prometheus
from testbed.redis import valkey
from testbed.wait import stays, until

FOR_S = 8
ALERT = """\
      - alert: ShopFails
        expr: vector(1) > 0
        for: {seconds}s
        labels: {{service: {name}, instance: {name}}}
"""
ALERTING = "groups:\n  - name: shop\n    interval: 1s\n    rules:\n" + "".join(
    ALERT.format(seconds=FOR_S, name=name) for name in ("culprit", "bystander")
)


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[dict[str, LocalShop]]:
    """Make two shops that run v1.3.0; one of them will get it anew once the trouble has begun."""
    with local_shops(tmp_path, "culprit", "bystander") as made:
        yield made


def test_an_alert_whose_trouble_began_before_the_release_changes_nothing(
    tmp_path: Path, shops: dict[str, LocalShop]
) -> None:
    """Its `startsAt` comes after the release, its onset before: the release is not the cause.

    The same alert about a shop that had its release before takes that one back.
    """
    port = free_port()
    (tmp_path / "redis").mkdir()
    rule_file = rules(guards={"caused-by-release": {"within": "2h", "skew": "1s"}})
    inventory = local_inventory(**{name: made.entry("canary") for name, made in shops.items()})
    more = {"numbers": {"group_interval_s": 1}, "prometheus": {"url": f"http://127.0.0.1:{port}"}}
    with contextlib.ExitStack() as running:
        redis = running.enter_context(valkey(tmp_path / "redis"))
        installed = Installation(tmp_path / "installed", redis.url, rule_file, inventory, more=more)
        running.enter_context(installed.running())
        config = receiver_config(installed.receiver, installed.token_file("alertmanager"))
        am = running.enter_context(alertmanager(tmp_path / "alertmanager", config))
        prom = running.enter_context(prometheus(tmp_path / "prometheus", {}, am.port, rules=ALERTING, port=port))
        until(lambda: pending_for_s(prom) > 2, within_s=20, what="the trouble is there, and no alert fires yet")
        shops["bystander"].deploy("v1.3.0")
        assert not am.alerts(), "the release came before the alert's start"

        until(lambda: shops["culprit"].running() == "v1.2.0", within_s=40, what="the culprit goes back")
        (refused,) = until(
            lambda: [one for one in installed.rollbacks() if one["service"] == "bystander"],
            within_s=20,
            what="the bystander's alert is decided",
        )
        until(lambda: installed.rollback(refused["id"])["state"] == "ended", within_s=20, what="it is refused")
        found = installed.rollback(refused["id"])
        assert (found["outcome"], found["reason"]) == ("refused", "predates-release"), json.dumps(found)
        stays(lambda: shops["bystander"].restarts() == 0, for_s=1, what="nothing is done to the bystander")
        why = does(installed, "why", refused["id"])
    assert "predates-release" in why
    assert "(Prometheus" in why
    assert shops["bystander"].running() == "v1.3.0"


def pending_for_s(prom: Prometheus) -> float:
    """Return for how long the bystander's alert has been pending."""
    seen = prom.query('time() - ALERTS_FOR_STATE{service="bystander"}')
    return float(seen[0]["value"][1]) if seen else 0
