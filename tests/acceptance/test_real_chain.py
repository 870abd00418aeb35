"""An alert from a real Prometheus and Alertmanager rolls back one bad release on one host, and only there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed import shop
from testbed.alertmanager import Alertmanager, alertmanager, receiver_config
from testbed.hosts import Hosts
from testbed.installation import Installation
from testbed.local_shops import rules
from testbed.prometheus import prometheus
from testbed.redis import Redis
from testbed.wait import until

TRACKS = {"web1": "stable", "web2": "canary"}


def inventory(hosts: Hosts) -> str:
    """Return the inventory of the shop on web1 (stable) and web2 (canary), reached over SSH."""
    entries = [
        {"name": name, "address": hosts[name].address, "labels": {"track": track}}
        for name, track in TRACKS.items()
    ]
    return json.dumps(
        {
            "version": "inventory/v1",
            "ssh": {
                "user": hosts.user,
                "key-file": str(hosts.key_file),
                "known-hosts": str(hosts.known_hosts),
            },
            "services": {
                "shop": {
                    "releases": "/opt/shop/releases",
                    "current": "/opt/shop/current",
                    "restart": {"systemd": "shop.service"},
                    "health": {"url": "http://{address}:8080/healthz", "within": "20s"},
                    "hosts": entries,
                }
            },
        }
    )


@pytest.fixture
def installed(tmp_path: Path, redis_server: Redis, hosts: Hosts) -> Installation:
    """Give an installation that looks after the two hosts; nothing is started yet."""
    return Installation(
        tmp_path / "installed",
        redis_server.url,
        rules(),
        inventory(hosts),
        more={"numbers": {"group_interval_s": 1}},
    )


@contextlib.contextmanager
def monitored(folder: Path, hosts: Hosts, installed: Installation) -> Iterator[Alertmanager]:
    """Scrape both hosts, and send what fires to the receiver with Alertmanager's own token."""
    config = receiver_config(installed.receiver, installed.token_file("alertmanager"))
    targets = {
        f"{hosts[name].address}:{shop.PORT}": {"service": "shop", "track": track} for name, track in TRACKS.items()
    }
    with alertmanager(folder / "alertmanager", config) as am, prometheus(folder / "prometheus", targets, am.port):
        yield am


def is_firing(am: Alertmanager, address: str) -> bool:
    """Whether Alertmanager holds an active alert about the host."""
    return any(address in alert["labels"]["instance"] for alert in am.alerts())


def test_the_canary_goes_back_the_alert_resolves_and_the_stable_host_is_never_touched(
    tmp_path: Path, hosts: Hosts, installed: Installation
) -> None:
    """The whole path on real parts: scrape, rule, notification with credentials, SSH, health, resolve."""
    stable, canary = hosts["web1"], hosts["web2"]
    with installed.running(), monitored(tmp_path, hosts, installed) as am:
        untouched = stable.process()
        canary.deploy("v1.3.0")
        until(lambda: is_firing(am, canary.address), within_s=30, what="the canary's alert fires")

        until(lambda: canary.running() == "v1.2.0", within_s=30, what="the canary is switched back")
        until(lambda: canary.answers("/healthz") == 200, within_s=20, what="the canary is healthy")
        until(lambda: not is_firing(am, canary.address), within_s=60, what="the alert resolves")
        (rollback,) = installed.ended(within_s=60)

    assert (rollback["outcome"], rollback["instance"]) == ("recovered", "hosts/default/shop/web2")
    assert (rollback["from"], rollback["to"]) == ("v1.3.0", "v1.2.0")
    assert canary.link() == "releases/v1.2.0", "a relative link stays relative"
    assert (stable.running(), stable.process()) == ("v1.2.0", untouched)


def test_a_release_that_crash_loops_into_the_start_limit_goes_back(
    tmp_path: Path, hosts: Hosts, installed: Installation
) -> None:
    """Past the limit even the good release is refused until the failure is reset; the rollback knows that."""
    stable, canary = hosts["web1"], hosts["web2"]
    with installed.running(), monitored(tmp_path, hosts, installed):
        untouched = stable.process()
        canary.deploy("v1.3.0", shop.CRASHES)
        until(lambda: canary.unit("ActiveState") == "failed", within_s=20, what="the start limit is reached")

        until(lambda: canary.answers("/healthz") == 200, within_s=40, what="the canary is healthy again")
        (rollback,) = installed.ended(within_s=60)
        told = installed.rollback(rollback["id"])

    assert rollback["outcome"] == "recovered"
    assert (canary.running(), canary.unit("ActiveState")) == ("v1.2.0", "active")
    assert "cannot read its configuration" in json.dumps(told), "the evidence is kept before it is destroyed"
    assert stable.process() == untouched
