"""An alert that carries the version resolves the moment its release is replaced: that alone is no recovery.

Whether the instance is better is seen by what fires for it now, whatever version that names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed import prometheus as prom
from testbed.alertmanager import Alertmanager, alertmanager, receiver_config
from testbed.exporter import exporter
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until

ALERTING = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopFails
        expr: sum by (instance, service, version) (max_over_time(shop_errors[2s])) > 0
        for: 1s
"""


@contextlib.contextmanager
def monitored(
    folder: Path, redis: Redis, shop: LocalShop, bad: set[str]
) -> Iterator[tuple[Installation, Alertmanager]]:
    """Run an installation that asks its monitoring, which sees errors of the version that runs, if it is bad."""
    ports = {"prometheus": free_port(), "alertmanager": free_port()}
    installed = Installation(
        folder / "installed",
        redis.url,
        rules(verify={"healthy-within": "20s", "steady": "1s", "cleared-within": "12s"}),
        local_inventory(shop=shop.entry("canary")),
        more={
            "numbers": {"group_interval_s": 1},
            **{name: {"url": f"http://127.0.0.1:{port}"} for name, port in ports.items()},
        },
    )
    config = receiver_config(installed.receiver, installed.token_file("alertmanager"))
    with exporter() as metrics, installed.running():
        metrics.source = lambda: errors(shop.running(), bad)
        targets = {metrics.address: {"instance": shop.name, "service": shop.name}}
        with (
            alertmanager(folder / "am", config, port=ports["alertmanager"]) as am,
            prom.prometheus(folder / "prom", targets, am.port, rules=ALERTING, port=ports["prometheus"]),
        ):
            yield installed, am


def errors(version: str, bad: set[str]) -> str:
    """Return what the service tells of itself: errors, under the version that runs."""
    return f'shop_errors{{version="{version}"}} {int(version in bad)}\n'


@pytest.mark.parametrize(
    ("bad", "outcome", "reason"),
    [
        ({"v1.3.0", "v1.2.0"}, "ineffective", "still-firing"),
        ({"v1.3.0"}, "recovered", "cleared"),
    ],
    ids=["the old version fails too", "the old version is well"],
)
def test_what_counts_is_the_instance_and_not_the_series(
    tmp_path: Path, redis_server: Redis, bad: set[str], outcome: str, reason: str
) -> None:
    """The alert about v1.3.0 ends either way: its series does."""
    with (
        local_shops(tmp_path / "shops", "shop") as shops,
        monitored(tmp_path, redis_server, shops["shop"], bad) as (installed, am),
    ):
        shop = shops["shop"]
        until(lambda: shop.running() == "v1.2.0", within_s=40, what="the release is replaced")
        rollback = installed.ended(within_s=90)[-1]
        fires = {alert["labels"]["version"] for alert in am.alerts()}
    assert (rollback["outcome"], rollback["reason"]) == (outcome, reason), rollback
    assert fires == bad - {"v1.3.0"}, "the alert that began it is over"
