"""A host whose service is being rolled back is reset in the middle of it, between the switch and the restart.

The service has its guard, which starts with the host and knows nothing of the rollback but what it finds there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import stat_result
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.held_restart import hold_restarts, wait_until_held
from testbed.host_guard import fallback_log, install_guard, last_stable, shop_inventory
from testbed.hosts import Host, Hosts
from testbed.installation import Installation
from testbed.local_shops import rules
from testbed.paused import SHORT
from testbed.redis import Redis
from testbed.wait import until

LABELS = {"alertname": "ShopFails", "service": "shop", "instance": "web1"}


@pytest.fixture
def guarded(hosts: Hosts) -> Host:
    """Give a guarded host that starts its shop when it boots, and whose present release is bad."""
    host = hosts["web1"]
    install_guard(host)
    host.run("systemctl", "enable", "shop.service")
    host.deploy("v1.3.0")
    return host


def link_of(host: Host) -> stat_result:
    return (host.root / "opt/shop/current").lstat()


def starts(host: Host) -> int:
    """Return how often the release that is gone back to has been started, resets included."""
    return host.journal().count("shop v1.2.0 starts")


@contextmanager
def cut_off_in_its_middle(installed: Installation, hosts: Hosts, host: Host) -> Iterator[stat_result]:
    """Have an alert roll the host back, and cut its power before the restart; gives the link as it was then."""
    hold_restarts(host)
    with installed.running():
        assert installed.notify(body(alert(LABELS))).status == 202
        wait_until_held(host)
        switched = link_of(host)
        hosts.cut_the_power(host.name)
        yield switched


def test_it_goes_on_when_the_host_is_back(
    tmp_path: Path, redis_server: Redis, hosts: Hosts, guarded: Host
) -> None:
    """The boot has started the release that the link names: that was the restart, and nothing is done twice."""
    installed = installation(tmp_path, redis_server, hosts, guarded)
    before = starts(guarded)
    with cut_off_in_its_middle(installed, hosts, guarded) as switched:
        host = hosts.power_on("web1")
        until(lambda: host.answers("/healthz") == 200, within_s=30, what="the shop is healthy")
        assert installed.notify(body(alert(LABELS, status="resolved"))).status == 202
        (rollback,) = installed.ended()
    assert (rollback["outcome"], rollback["from"], rollback["to"]) == ("recovered", "v1.3.0", "v1.2.0")
    now = link_of(host)
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"
    assert host.running() == "v1.2.0"
    assert starts(host) == before + 1, "not restarted once more"
    left_alone_by_the_guard(host)


def test_it_ends_with_a_reason_when_the_host_stays_away(
    tmp_path: Path, redis_server: Redis, hosts: Hosts, guarded: Host
) -> None:
    """What was tried in vain is told; the host, when it comes back, runs what the link was switched to."""
    impatient = {"attempts": 2, "initial": "1s", "factor": 1, "max": "1s"}
    installed = installation(tmp_path, redis_server, hosts, guarded, retry=impatient)
    with cut_off_in_its_middle(installed, hosts, guarded) as switched:
        (rollback,) = installed.ended()
        host = hosts.power_on("web1")
    assert (rollback["state"], rollback["reason"]) == ("held", "unknown-state")
    assert f"deploy@{host.address} port 22 cannot be reached" in rollback["detail"]
    until(lambda: host.answers("/healthz") == 200, within_s=30, what="the shop is healthy")
    assert (host.running(), link_of(host).st_ino) == ("v1.2.0", switched.st_ino)
    left_alone_by_the_guard(host)


def left_alone_by_the_guard(host: Host) -> None:
    """See that the guard had nothing to fall back from, and that it writes down what stayed up."""
    until(lambda: last_stable(host) == "v1.2.0", within_s=20, what="the release is proven")
    assert fallback_log(host) == ""
    assert not (host.root / "opt/shop/.rollback/fallback").exists()


def installation(folder: Path, server: Redis, hosts: Hosts, host: Host, **over: Any) -> Installation:
    """Return the product, looking after the shop of that host."""
    there = shop_inventory(hosts, host)
    return Installation(folder / "installed", server.url, rules(**over), there, more={"numbers": SHORT})
