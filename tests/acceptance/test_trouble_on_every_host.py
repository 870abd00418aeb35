"""Two real hosts of one service, one with a canary: it goes back for what it alone has, and for nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.commands import does
from testbed.guarded import BRISK
from testbed.hosts import Hosts
from testbed.installation import Installation
from testbed.kube_shop import resolved
from testbed.local_shops import rules
from testbed.redis import valkey
from testbed.wait import stays, until

TRACKS = {"web1": "stable", "web2": "canary"}
GUARDS = {
    "caused-by-release": {"within": "2h", "skew": "0s"},
    "affected": {"max": 10, "max-share": "34%", "min-healthy": "50%"},
}


def inventory(hosts: Hosts) -> str:
    """Return the inventory of the shop on web1 (stable) and web2 (canary), reached over SSH."""
    ssh = {"user": hosts.user, "key-file": str(hosts.key_file), "known-hosts": str(hosts.known_hosts)}
    entries = [
        {"name": name, "address": hosts[name].address, "labels": {"track": track}}
        for name, track in TRACKS.items()
    ]
    shop = {
        "releases": "/opt/shop/releases",
        "current": "/opt/shop/current",
        "restart": {"systemd": "shop.service"},
        "health": {"url": "http://{address}:8080/healthz", "within": "20s"},
        "hosts": entries,
    }
    return json.dumps({"version": "inventory/v1", "ssh": ssh, "services": {"shop": shop}})


@dataclass(frozen=True, slots=True)
class Site:
    """The installation, and the two hosts."""

    installed: Installation
    hosts: Hosts

    def about(self, name: str) -> dict[str, Any]:
        """Return an alert about the shop on a host that begins now."""
        labels = {"alertname": "ShopFails", "service": "shop", "instance": f"{self.hosts[name].address}:8080"}
        return alert(labels, starts_at=stamp(0))

    def notify(self, *alerts: dict[str, Any]) -> None:
        """Send a notification."""
        assert self.installed.notify(body(*alerts)).status in {200, 202}

    def seen(self, *releases: str) -> bool:
        """Whether the observer has seen the hosts run these."""
        answer = self.installed.ask("/api/v1/releases/shop/ready").json
        return sorted(one["running"] for one in answer["instances"]) == sorted(releases)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, booted_hosts: Hosts) -> Iterator[Site]:
    """Run the installation; web2 got a bad canary, and nobody else has it."""
    folder = tmp_path_factory.mktemp("hosts")
    booted_hosts.fresh()
    rule_file = rules(
        target={
            "hosts": {"instance": "{{ $labels.instance }}"},
            "service": "{{ $labels.service }}",
            "only": {"track": "canary"},
        },
        guards=GUARDS,
        waves=[1, "50%", "100%"],
    )
    with contextlib.ExitStack() as running:
        (folder / "redis").mkdir()
        redis = running.enter_context(valkey(folder / "redis"))
        installed = Installation(
            folder / "installed", redis.url, rule_file, inventory(booted_hosts), more={"numbers": BRISK}
        )
        running.enter_context(installed.running())
        made = Site(installed, booted_hosts)
        booted_hosts["web2"].deploy("v1.3.0")
        until(lambda: made.seen("v1.2.0", "v1.3.0"), within_s=30, what="the observer has seen both hosts")
        yield made


def test_hosts_with_and_without_the_release_alert_alike_and_nothing_happens(site: Site) -> None:
    """What also ails web1, which does not run the release, is not its doing; `why` says so."""
    before = {name: site.hosts[name].process() for name in TRACKS}
    alike = [site.about(name) for name in TRACKS]
    site.notify(*alike)
    (found,) = site.installed.ended()
    assert (found["outcome"], found["reason"]) == ("refused", "also-on-other-releases"), found
    why = does(site.installed, "why", found["id"])
    assert "hosts/default/shop/web1 (v1.2.0)" in why
    stays(
        lambda: {name: site.hosts[name].process() for name in TRACKS} == before,
        for_s=1,
        what="neither host is touched",
    )
    assert site.hosts["web2"].running() == "v1.3.0"
    site.notify(*map(resolved, alike))


def test_one_canary_of_two_hosts_goes_back_under_a_share_of_34_percent(site: Site) -> None:
    """34 % of two is none, rounded down; the first instance is always allowed."""
    untouched = site.hosts["web1"].process()
    alone = site.about("web2")
    site.notify(alone)
    until(lambda: site.hosts["web2"].running() == "v1.2.0", within_s=30, what="the canary goes back")
    until(lambda: site.hosts["web2"].answers("/healthz") == 200, within_s=20, what="it is healthy")
    site.notify(resolved(alone))
    (ended,) = site.installed.ended()
    assert ended["outcome"] == "recovered"
    assert site.hosts["web1"].process() == untouched
