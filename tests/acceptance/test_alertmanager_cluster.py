"""A real Prometheus tells three real Alertmanagers in a cluster, and each tells two servers on one ledger.

Alertmanager delivers at least once: who fails to notify, or has lost sight of its peers, is not the only one that
does. Whatever arrives how often, it has one effect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import Alertmanager, alertmanager_cluster, receivers_config
from testbed.exporter import Exporter, exporter
from testbed.flaky import Flaky, flaky
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, rules
from testbed.prometheus import prometheus
from testbed.redis import Redis
from testbed.wait import until

QUICK = {"numbers": {"group_interval_s": 1}}


@dataclass(frozen=True, slots=True)
class Site:
    """Two servers and a worker machine on one ledger, and the instance that the alerts are about."""

    one: Installation
    other: Installation
    shop: LocalShop
    folder: Path

    def webhooks(self, one: str = "", other: str = "") -> str:
        """Return Alertmanager's configuration: both servers, each under another address where one is given."""
        return receivers_config(
            [
                (one or self.one.receiver, self.one.token_file("alertmanager")),
                (other or self.other.receiver, self.other.token_file("alertmanager")),
            ]
        )

    def received(self) -> list[float]:
        """Return how many notifications each server has accepted."""
        return [accepted(face) for face in (self.one, self.other)]


def accepted(face: Installation) -> float:
    """Return how many notifications a server has made durable, repeats included."""
    lines = face.ask("/metrics", token=None).text.splitlines()
    codes = (f'rollback_controller_notifications_total{{code="{code}"}}' for code in (200, 202))
    return sum(float(line.rsplit(" ", 1)[1]) for code in codes for line in lines if line.startswith(code))


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis, canary: LocalShop) -> Iterator[Site]:
    """Run the servers and the workers."""
    slow = ["sh", "-c", BLOCKING_RESTART, "sh", str(tmp_path), str(canary.current), str(canary.restarts_file)]
    inventory = local_inventory(canary=canary.entry("canary", restart={"command": slow}))
    one, other = (
        Installation(tmp_path / name, redis_server.url, rules(), inventory, more=QUICK)
        for name in ("one", "other")
    )
    with one.serving(), other.serving(), one.working():
        yield Site(one, other, canary, tmp_path)


@contextlib.contextmanager
def monitored(site: Site, *configs: str, gossiping: bool = True) -> Iterator[list[Alertmanager]]:
    """Scrape the instance, which counts errors as long as it runs the bad release, and tell the whole cluster."""
    with (
        exporter() as target,
        alertmanager_cluster(site.folder, *configs, gossiping=gossiping) as cluster,
    ):
        target.source = errors_of(site.shop, target)
        labels = {"service": site.shop.name, "instance": site.shop.name, "track": "canary"}
        told = [one.port for one in cluster]
        with prometheus(site.folder / "prometheus", {target.address: labels}, told):
            yield cluster


def errors_of(shop: LocalShop, target: Exporter) -> Any:
    """Return what the instance tells: one error more at each scrape of the bad release."""
    count = 0

    def tell() -> str:
        nonlocal count
        count += shop.running() == "v1.3.0"
        return f'shop_requests_total{{code="500"}} {count}\n'

    return tell


def test_trap_04_one_alertmanager_is_refused_for_a_while_and_another_delivers_for_it(site: Site) -> None:
    """The first fails, so the second notifies, and the first again once it can: one rollback, decided once."""
    with contextlib.ExitStack() as running:
        first, second = (running.enter_context(flaky(face.receiver)) for face in (site.one, site.other))
        configs = (site.webhooks(first.url, second.url), site.webhooks(), site.webhooks())
        running.enter_context(monitored(site, *configs))
        until(lambda: min(site.received()) > 0, within_s=60, what="another one has delivered to both")
        until((site.folder / "restarting").exists, within_s=30, what="the rollback is under way")
        for before in (first, second):
            assert before.refused > 0, "the first Alertmanager was not refused: the test would mean nothing"
            before.mend()
        until(lambda: delivered(first) and delivered(second), within_s=60, what="the first delivers as well")
        (site.folder / "go").touch()
        one_effect(site)


def delivered(between: Flaky) -> bool:
    """Whether something was passed on, and all of it well."""
    assert set(between.passed) <= {200, 202}, between.passed
    return bool(between.passed)


def test_alertmanagers_that_have_lost_sight_of_each_other_all_notify(site: Site) -> None:
    """Six deliveries of the same alert, to two servers, and of its resolve: one effect."""
    (site.folder / "go").touch()
    with monitored(site, *[site.webhooks()] * 3, gossiping=False):
        until(lambda: min(site.received()) >= 3, within_s=60, what="each server was told by all three")
        one_effect(site)


def test_trap_05_a_resolve_in_the_middle_of_a_rollback_lets_it_finish(site: Site, redis_server: Redis) -> None:
    """The link is switched, so the errors end and the alert resolves, while the restart is still under way."""
    with monitored(site, *[site.webhooks()] * 3) as cluster:
        until((site.folder / "restarting").exists, within_s=60, what="the rollback is between switch and restart")
        (alert,) = cluster[0].alerts()
        until(lambda: closed(redis_server, alert["fingerprint"]), within_s=60, what="the resolve is recorded")
        (under_way,) = site.one.rollbacks()
        assert under_way["state"] == "acting"
        (site.folder / "go").touch()
        one_effect(site)


def closed(redis_server: Redis, fingerprint: str) -> bool:
    """Whether the ledger has heard that an alert resolved."""
    with redis_server.client() as client:
        return bool(client.hget(f"rc:episode:{fingerprint}", "closed"))


def one_effect(site: Site) -> None:
    """Wait for the end, and see that it happened once."""
    (rollback,) = site.one.ended(within_s=90)
    told = site.other.rollback(rollback["id"])
    assert (rollback["outcome"], rollback["from"], rollback["to"]) == ("recovered", "v1.3.0", "v1.2.0"), rollback
    assert sum(e["kind"] == "done" and e["step_kind"] == "switch" for e in told["journal"]) == 1
    assert (site.shop.running(), site.shop.restarts()) == ("v1.2.0", 1)
    decided = site.one.ask("/api/v1/decisions?limit=500").json["decisions"]
    assert [(found["outcome"], found["reason"]) for found in decided] == [("roll-back", "allowed")], decided
