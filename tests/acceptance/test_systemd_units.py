"""The product as two hardened systemd units on a host: it works in its sandbox, whatever befalls the machine.

One host runs it for the whole file; each test has a shop of its own on another host, whose restart waits until it
is let go. So what befalls the controller befalls it between the switch and the end of the restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.controller_host import SERVE, WORKER, ControllerHost, controller_host
from testbed.held_restart import hold_restarts, let_go, wait_until_held
from testbed.hosts import Host, Hosts
from testbed.installation import WORKERS
from testbed.paused import SHORT
from testbed.programs import REPOSITORY
from testbed.wait import until

LEVEL = 1.1
"""The exposure that docs/how-to/install-on-a-vm.md names; lower is better, 10 is the worst."""


@pytest.fixture(scope="module")
def controller(booted_hosts: Hosts) -> Iterator[ControllerHost]:
    """Run the product on a host of its own; it looks after a shop on each of the others."""
    services = {name: service(host) for name, host in booted_hosts.by_name.items()}
    with controller_host(booted_hosts, services, SHORT) as made:
        yield made


def service(host: Host) -> dict[str, Any]:
    """Return the inventory's entry of the shop on one host."""
    return {
        "releases": "/opt/shop/releases",
        "current": "/opt/shop/current",
        "restart": {"systemd": "shop.service"},
        "health": {"url": "http://{address}:8080/healthz", "within": "20s"},
        "hosts": [{"name": host.name, "address": host.address, "labels": {"track": "canary"}}],
    }


def test_they_are_as_hardened_as_said(controller: ControllerHost) -> None:
    """Each unit's exposure is no more than the how-to states, and systemd finds nothing wrong with the files."""
    said = (REPOSITORY / "docs/how-to/install-on-a-vm.md").read_text()
    assert f"level of {LEVEL}" in said
    for unit in (SERVE, WORKER):
        threshold = f"--threshold={LEVEL * 10:.0f}"
        controller.host.run("systemd-analyze", "security", "--no-pager", threshold, unit)
        assert controller.host.run("systemd-analyze", "verify", unit) == ""


def test_what_is_secret_reaches_the_one_that_needs_it_and_nobody_else(controller: ControllerHost) -> None:
    """The user cannot read the files themselves; a unit does not see the other's; nothing of it is in the log."""
    controller.wait_until_ready()
    host, folder = controller.host, controller.root / "etc/rollback-controller/secrets"
    denied = host.run("cat", "/etc/rollback-controller/secrets/serve/redis", check=False, as_user="rollback")
    assert denied == ""
    handed = f"/proc/{host.unit('MainPID', WORKER)}/root/run/credentials"
    assert host.run("ls", handed) == WORKER
    assert host.run("ls", f"{handed}/{WORKER}").split() == ["secret_audit", "secret_id_ed25519", "secret_redis"]
    log = host.journal(SERVE) + host.journal(WORKER)
    for file in folder.glob("*/*"):
        assert file.read_text().strip() not in log


def test_who_may_read_the_settings_can_check_them_and_others_are_told(controller: ControllerHost) -> None:
    """The service's user, from wherever root stands; others hear which file, and nothing is made up instead."""
    words = 'cd /root && runuser -u "$1" -- /opt/rollback-controller/bin/rollbackctl rules check 2>&1 || :'
    said = {user: controller.host.run("sh", "-c", words, "sh", user) for user in ("rollback", "shop")}
    assert "1 rule, 3 services, 3 hosts: no errors" in said["rollback"]
    assert said["shop"].startswith(
        "/etc/rollback-controller/rollback.yaml: cannot be read: Permission denied. Be a"
    )


def test_a_reload_keeps_the_processes(controller: ControllerHost) -> None:
    """Rules are read anew; nothing is started anew for that, neither a unit nor one of its processes."""
    controller.wait_until_ready()
    units = (SERVE, WORKER)
    until(lambda: len(processes(controller.host, WORKER)) > WORKERS, within_s=20, what="the workers are started")
    before, read = processes(controller.host, *units), rules_read_at(controller)
    controller.host.run("systemctl", "reload", *units)
    until(lambda: rules_read_at(controller) > read, within_s=10, what="the rules are read anew")
    assert before <= processes(controller.host, *units)
    assert [controller.host.unit("ActiveState", unit) for unit in units] == ["active", "active"]


def processes(host: Host, *units: str) -> set[str]:
    """Return the main processes of units and those that they keep."""
    mains = [host.unit("MainPID", unit) for unit in units]
    return {*mains, *host.run("ps", "-o", "pid=", "--ppid", ",".join(mains), check=False).split()}


def rules_read_at(controller: ControllerHost) -> float:
    """Return when the server last read its rules, in seconds of Unix time."""
    name = "rollback_controller_rules_last_reload_success_timestamp_seconds "
    lines = controller.installed.ask("/metrics", token=None).text.splitlines()
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def test_sigterm_in_the_middle_of_a_rollback_parks_it(controller: ControllerHost, booted_hosts: Hosts) -> None:
    """The step under way is finished, the rest waits for the next start; nothing is lost or done twice."""

    def stop() -> None:
        controller.host.run("systemctl", "stop", "--no-block", WORKER)
        until(
            lambda: controller.host.unit("ActiveState", WORKER) == "deactivating",
            within_s=10,
            what="the worker has been asked to stop",
        )

    def start() -> None:
        until(
            lambda: controller.host.unit("ActiveState", WORKER) == "inactive",
            within_s=40,
            what="the worker has stopped in good order",
        )
        assert controller.host.unit("Result", WORKER) == "success"
        assert [one["state"] for one in rollbacks_of(controller, "web1")] != ["ended"]
        controller.host.run("systemctl", "start", WORKER)

    goes_on_after(controller, booted_hosts["web1"], befalls=stop, then=start)


def test_processes_killed_in_the_middle_of_a_rollback_are_started_again(
    controller: ControllerHost, booted_hosts: Hosts
) -> None:
    """`kill -9` of supervisor and server takes their processes along; systemd starts them anew, and they go on."""
    units = (SERVE, WORKER)
    before = [int(controller.host.unit("NRestarts", unit)) for unit in units]

    def kill() -> None:
        controller.host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", *units)

    goes_on_after(controller, booted_hosts["web2"], befalls=kill)
    assert [int(controller.host.unit("NRestarts", unit)) - 1 for unit in units] == before


def test_a_host_that_is_reset_in_the_middle_of_a_rollback_goes_on(
    controller: ControllerHost, booted_hosts: Hosts
) -> None:
    """Server, workers and Valkey all go at once; after the boot the rollback is finished, by nobody's hand."""
    goes_on_after(controller, booted_hosts["web3"], befalls=controller.cut_the_power)


def goes_on_after(
    controller: ControllerHost, host: Host, *, befalls: Callable[[], None], then: Callable[[], None] = lambda: None
) -> None:
    """Have something befall the controller in the middle of a rollback: one switch, one restart, recovered."""
    controller.wait_until_ready()
    host.fresh()
    host.deploy("v1.3.0")
    hold_restarts(host)
    labels = {"alertname": "ShopFails", "service": host.name, "instance": host.name}
    assert controller.installed.notify(body(alert(labels))).status == 202
    wait_until_held(host)
    switched, life = (host.root / "opt/shop/current").lstat(), host.unit("InvocationID")

    befalls()
    let_go(host)
    then()

    until(lambda: host.answers("/healthz") == 200, within_s=30, what="the shop is healthy")
    controller.wait_until_ready()
    resolved = body(alert(labels, status="resolved"))
    until(lambda: controller.installed.notify(resolved).status == 202, within_s=10, what="the resolve is taken")
    (rollback,) = until(
        lambda: [one for one in rollbacks_of(controller, host.name) if one["state"] == "ended"],
        within_s=60,
        what="the rollback has ended",
    )
    assert (rollback["outcome"], rollback["from"], rollback["to"]) == ("recovered", "v1.3.0", "v1.2.0")
    now = (host.root / "opt/shop/current").lstat()
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"
    assert (host.running(), host.unit("InvocationID")) == ("v1.2.0", life), "restarted once"


def rollbacks_of(controller: ControllerHost, service: str) -> list[dict[str, Any]]:
    """Return the rollbacks of one service."""
    return [one for one in controller.installed.rollbacks() if one["service"] == service]
