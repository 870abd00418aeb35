"""A worker paused past its lease, right before a restart on a real host whose systemd counts the starts."""

from __future__ import annotations

import json
from pathlib import Path

from testbed.alertmanager import alert, body
from testbed.hosts import Host, Hosts
from testbed.installation import Installation
from testbed.local_shops import rules
from testbed.paused import SHORT, Paused, stops_at
from testbed.redis import Redis
from testbed.wait import until


def inventory(hosts: Hosts, host: Host) -> str:
    """Return the inventory of the shop on one host, reached over SSH."""
    ssh = {"user": hosts.user, "key-file": str(hosts.key_file), "known-hosts": str(hosts.known_hosts)}
    shop = {
        "releases": "/opt/shop/releases",
        "current": "/opt/shop/current",
        "restart": {"systemd": "shop.service"},
        "health": {"url": "http://{address}:8080/healthz", "within": "20s"},
        "hosts": [{"name": host.name, "address": host.address, "labels": {"track": "canary"}}],
    }
    return json.dumps({"version": "inventory/v1", "ssh": ssh, "services": {"shop": shop}})


def test_the_unit_is_started_by_the_second_alone(tmp_path: Path, redis_server: Redis, hosts: Hosts) -> None:
    """The first meets the second's fence on the host: the unit keeps the process that the second started."""
    host = hosts["web1"]
    host.deploy("v1.3.0")
    bad = host.process()
    installed = Installation(
        tmp_path / "installed", redis_server.url, rules(), inventory(hosts, host), more={"numbers": SHORT}
    )
    labels = {"alertname": "ShopFails", "service": "shop", "instance": host.name}
    with installed.serving(), installed.working("first", module=stops_at("restart.before", tmp_path)) as first:
        assert installed.notify(body(alert(labels))).status == 202
        paused = Paused.by_itself(first, tmp_path)
        assert (host.running(), host.process()) == ("v1.2.0", bad)
        with installed.working("second"):
            until(
                lambda: [r["state"] for r in installed.rollbacks()] == ["verifying"],
                within_s=60,
                what="the second machine has done every step",
            )
            good = host.process()
            paused.resume()
            paused.says_that_it_lost()
            installed.notify(body(alert(labels, status="resolved")))
            (rollback,) = installed.ended()
    assert rollback["outcome"] == "recovered"
    assert good != bad
    assert (host.running(), host.process(), host.unit("NRestarts")) == ("v1.2.0", good, "0")
