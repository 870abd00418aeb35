"""On real hosts with systemd: when the release came, whether it is well, and which bits it is."""

from __future__ import annotations

from contextlib import closing

from testbed import shop
from testbed.hosts import Host as Machine
from testbed.hosts import Hosts
from testbed.wait import until

from rules.instances import HostInstance
from rules.inventory import Health, Host, Inventory, Restart, RestartKind, Service, Ssh
from rules.observations import Observation
from workers.hosts import Params, reach
from workers.hosts.sweeping import look_at_host


def inventory(hosts: Hosts, machine: Machine, health: Health | None = None) -> Inventory:
    service = Service(
        name="shop",
        releases="/opt/shop/releases",
        current="/opt/shop/current",
        restart=Restart(RestartKind.SYSTEMD, unit="shop.service"),
        hosts=(Host(machine.name, machine.address, {"env": "prod"}),),
        executable="bin/shop",
        health=health,
    )
    return Inventory({"shop": service}, Ssh(hosts.user, str(hosts.key_file), str(hosts.known_hosts)))


INSTANCE = HostInstance("default", "shop", "web1")


def observed(hosts: Hosts) -> Observation:
    with closing(reach(INSTANCE, inventory(hosts, hosts["web1"]), Params(), "")) as driver:
        return driver.observe()


def test_it_came_with_the_start_of_its_process(hosts: Hosts) -> None:
    """After the link was made, and no later than the process that runs now was started."""
    before = observed(hosts).arrived
    hosts["web1"].deploy("v1.3.0", shop.WELL)
    after = observed(hosts).arrived
    assert before is not None
    assert after is not None
    assert before.by_ms < after.earliest_ms <= after.by_ms
    started_ms = int(hosts["web1"].unit("ExecMainStartTimestampMonotonic")) // 1000
    uptime_ms = float(hosts["web1"].run("cat", "/proc/uptime").split()[0]) * 1000
    now_ms = float(hosts["web1"].run("date", "+%s.%N")) * 1000
    assert abs(now_ms - uptime_ms + started_ms - after.by_ms) < 500


def test_another_restart_leaves_open_when_it_came(hosts: Hosts) -> None:
    """The pin is the same, and so is the earliest time; the latest is that of the restart."""
    hosts["web1"].deploy("v1.3.0", shop.WELL)
    first = observed(hosts)
    hosts["web1"].run("systemctl", "restart", "shop.service")
    again = observed(hosts)
    assert first.arrived is not None
    assert again.arrived is not None
    assert again.arrival == first.arrival
    assert again.arrived.after_ms == first.arrived.after_ms
    assert again.arrived.by_ms > first.arrived.by_ms


def test_what_the_observer_keeps_of_a_host(hosts: Hosts) -> None:
    """Its health by its unit, and its platform."""
    hosts["web1"].deploy("v1.3.0", shop.WELL)
    look = look_at_host(INSTANCE, inventory(hosts, hosts["web1"]))
    assert (look.names[0], look.healthy, look.environment) == ("v1.3.0", True, "prod")
    assert look.platform in ("linux/amd64", "linux/arm64")


def test_what_crashes_is_not_well(hosts: Hosts) -> None:
    """Also in the moments in which systemd has started it again."""
    hosts["web1"].deploy("v1.3.0", shop.DIES)
    until(lambda: int(hosts["web1"].unit("NRestarts")) > 0, within_s=30, what="systemd starts it again")
    assert look_at_host(INSTANCE, inventory(hosts, hosts["web1"])).healthy is False


def test_what_answers_badly_is_not_well(hosts: Hosts) -> None:
    """Though its unit is active."""
    hosts["web1"].deploy("v1.3.0", shop.STAYS_SICK)
    with_url = inventory(hosts, hosts["web1"], Health(url="http://{address}:8080/healthz"))
    assert look_at_host(INSTANCE, with_url).healthy is False
