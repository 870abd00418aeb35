"""A host's own guard keeps a service on a release that starts, while no controller runs, and fights nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed import shop
from testbed.alertmanager import alert, body
from testbed.host_guard import (
    fallback_log,
    install_guard,
    last_stable,
    said_since_installed,
    shop_inventory,
    write_guard_settings,
)
from testbed.hosts import UNIT, Host, Hosts
from testbed.installation import Installation
from testbed.local_shops import rules
from testbed.redis import Redis
from testbed.wait import stays, until

HOLDS_LOCK = "touch /opt/shop/held; until [ -e /opt/shop/go ]; do sleep 0.1; done"


@pytest.fixture
def guarded(hosts: Hosts) -> Host:
    """Give a host whose shop is guarded, and whose last stable release is v1.2.0."""
    install_guard(hosts["web1"])
    return hosts["web1"]


def falls_back(host: Host) -> None:
    until(lambda: host.running() == "v1.2.0", within_s=30, what="the host falls back by itself")
    until(lambda: host.answers("/healthz") == 200, within_s=20, what="the shop is healthy again")


def test_a_release_that_cannot_be_started_is_not_and_the_last_stable_one_runs(guarded: Host) -> None:
    """Not there, without its executable, not on the whitelist: it says which, never starts it, and falls back."""
    guarded.deploy("v1.4.0")
    falls_back(guarded)
    assert "v1.4.0 did not stay up" in fallback_log(guarded)

    release = guarded.release("v1.4.0")
    (release / "bin/shop").chmod(0o644)
    guarded.deploy("v1.4.0")
    falls_back(guarded)
    assert "/opt/shop/releases/v1.4.0/bin/shop is not executable" in said_since_installed(guarded, UNIT)

    write_guard_settings(guarded, "whitelist='v1.[0-3].*'\n")
    (release / "bin/shop").chmod(0o755)
    guarded.deploy("v1.4.0")
    falls_back(guarded)
    said = said_since_installed(guarded, UNIT)
    assert "v1.4.0 is not on the whitelist (v1.[0-3].*)" in said
    assert "shop v1.4.0 starts" not in said


def test_a_crash_loop_falls_back_once_and_the_controller_understands_it(
    tmp_path: Path, redis_server: Redis, hosts: Hosts, guarded: Host
) -> None:
    """While no controller runs. Afterwards no rule goes further, and a person's rollback starts from what runs."""
    guarded.release("v1.1.0")
    guarded.deploy("v1.3.0", shop.CRASHES)
    falls_back(guarded)
    fallen = guarded.process(), (guarded.root / "opt/shop/current").lstat().st_mtime_ns
    assert guarded.link() == "releases/v1.2.0", "a relative link stays relative"
    assert fallback_log(guarded).count("v1.3.0 did not stay up: /opt/shop/current points to releases/v1.2.0") == 1
    assert (guarded.root / "opt/shop/last_stable").stat().st_uid == (guarded.root / "opt/shop").stat().st_uid

    labels = {"alertname": "ShopFails", "service": "shop", "instance": "web1"}
    more = {"numbers": {"group_interval_s": 1}}
    installed = Installation(tmp_path / "in", redis_server.url, rules(), shop_inventory(hosts, guarded), more=more)
    with installed.running():
        installed.notify(body(alert(labels)))
        (refused,) = installed.ended()
        assert (refused["outcome"], refused["reason"]) == ("refused", "effect-already-made")
        assert "the guard on the host fell back to what runs here from v1.3.0" in refused["detail"]
        assert (guarded.process(), (guarded.root / "opt/shop/current").lstat().st_mtime_ns) == fallen

        words = ["rollback", "shop", "--instance", "web1", "--to", "v1.1.0", "--wait"]
        with installed.cli(*words) as command:
            assert command.process.wait(timeout=60) == 0, command.log()
        (rollback,) = [one for one in installed.rollbacks() if one["id"] != refused["id"]]
    assert (rollback["from"], rollback["to"], guarded.running()) == ("v1.2.0", "v1.1.0", "v1.1.0")
    until(lambda: last_stable(guarded) == "v1.1.0", within_s=10, what="both write the same")


def test_only_a_link_to_a_release_is_started(guarded: Host) -> None:
    """What `current` may be, and what is said of everything else; asked without a start."""
    said = "/opt/shop/current"
    for made, answer in (
        ("ln -s releases/v1.2.0", "fit"),
        ("ln -s releases/v1.2.0/", "fit"),
        ("ln -s /opt/shop/releases/v1.2.0", "fit"),
        ("true", f"{said} is no link"),
        ("cp -a releases/v1.2.0", f"{said} is no link"),
        ("ln -s releases/v9", f"{said} dangles: releases/v9 is not there"),
        ("ln -s /srv", f"{said} leads to /srv, which is not in /opt/shop/releases"),
        ("ln -s releases/../releases", f"{said} leads to releases/../releases, which is not in"),
        ("ln -s releases/.part", "'.part' is no name of a release"),
        ("ln -s releases/whole", "whole is not started: /opt/shop/releases/whole/bin/shop is not there"),
    ):
        words = f"cd /opt/shop && mkdir -p releases/.part releases/whole && rm -rf current && {made} current"
        guarded.run("sh", "-c", words)
        assert answer in check(guarded), made

    guarded.run("chmod", "o+w", "/etc/rollback-guard/shop.conf")
    assert "shop.conf is read as root, and others may write it" in check(guarded)


def test_what_others_may_write_is_not_trusted_by_root(guarded: Host) -> None:
    """A directory of root's that deployers share is changed as one of them; a file of theirs gets a warning."""
    guarded.run("sh", "-c", "chown root:deploy /opt/shop && chmod 2775 /opt/shop && rm /opt/shop/last_stable")
    write_guard_settings(guarded, "steady=0\n")
    assert "say in /etc/rollback-guard/shop.conf as whom it is changed" in asked(guarded, "prove")
    write_guard_settings(guarded, "steady=0\nuser=deploy\n")
    assert "v1.2.0 stayed up" in asked(guarded, "prove")
    owners = guarded.run("sh", "-c", "cd /opt/shop && stat -c %U last_stable .rollback .rollback/lock")
    assert (owners.split(), last_stable(guarded)) == (["deploy"] * 3, "v1.2.0")

    assert "WARNING" not in check(guarded)
    drop_in = "printf '[Service]\\nEnvironmentFile=-/opt/shop/env\\n' >/run/systemd/system/shop.service.d/env.conf"
    guarded.run("sh", "-c", f"mkdir -p /run/systemd/system/shop.service.d && {drop_in}")
    guarded.run("systemctl", "daemon-reload")
    assert "WARNING: shop.service reads /opt/shop/env: who may write that can become root" in check(guarded)


def check(host: Host) -> str:
    """Return what the guard says to the link as it is; `fit` where it would be started."""
    return asked(host, "check")


def asked(host: Host, verb: str) -> str:
    """Return what one of the guard's commands says."""
    return host.run("sh", "-c", f"/usr/local/sbin/rollback-guard {verb} shop 2>&1 && echo fit", check=False)


def test_a_link_from_elsewhere_leads_back_to_the_releases(guarded: Host) -> None:
    """Something outside, of the same name as the last stable release, is not started, and is fallen back from."""
    words = "mkdir -p /opt/shop/other && cp -a /opt/shop/releases/v1.2.0 /opt/shop/other/"
    guarded.run("sh", "-c", f"{words} && ln -sfT /opt/shop/other/v1.2.0 /opt/shop/current", as_user="deploy")
    guarded.run("systemctl", "restart", "shop.service", check=False)
    until(lambda: guarded.link() == "/opt/shop/releases/v1.2.0", within_s=30, what="it falls back, absolutely")
    until(lambda: guarded.answers("/healthz") == 200, within_s=20, what="the shop is healthy again")


def test_a_last_stable_release_that_crashes_too_is_left_alone(guarded: Host) -> None:
    """There is nothing to go back to: no to and fro, and the failed units are there to be seen."""
    shop.write_release(guarded.root / "opt/shop/releases", "v1.2.0", shop.CRASHES)
    guarded.deploy("v1.3.0", shop.CRASHES)
    until(
        lambda: "v1.2.0 is the last stable release itself" in fallback_log(guarded),
        within_s=30,
        what="both releases have been given up",
    )
    stays(lambda: guarded.running() == "v1.2.0", for_s=1, what="it stays where it is")
    assert guarded.unit("Result", "rollback-fallback@shop.service") == "exit-code"
    assert fallback_log(guarded).count("did not stay up") == 1


def test_a_rollback_or_deploy_under_way_is_not_fought(guarded: Host) -> None:
    """It waits for the same lock; what was changed meanwhile, or touched by a rollback, is left alone."""
    host = guarded
    host.run("mkdir", "-p", "/opt/shop/.rollback", as_user="deploy")
    deploys = ["flock", "/opt/shop/.rollback/lock", "sh", "-c", HOLDS_LOCK]
    host.run("systemd-run", "--collect", "--unit=deploying", "--uid=deploy", *deploys)
    until((host.root / "opt/shop/held").exists, within_s=10, what="a deploy holds the lock")
    host.deploy("v1.3.0", shop.CRASHES)
    until(lambda: host.unit("ActiveState") == "failed", within_s=20, what="the release is given up")
    stays(lambda: host.running() == "v1.3.0", for_s=0.5, what="nothing is changed under somebody's lock")
    host.deploy("v1.4.0", shop.WELL)
    host.run("touch", "/opt/shop/go")
    until(lambda: "was changed meanwhile" in fallback_log(host), within_s=20, what="it sees the other's work")
    assert host.running() == "v1.4.0"

    until(lambda: last_stable(host) == "v1.4.0", within_s=10, what="the other's work is proven")
    write_guard_settings(host, "hands_off=1\n")
    fence = "cd /opt/shop/.rollback && echo '7 r1' >fence && touch -d '-52 seconds' fence"
    host.run("sh", "-c", fence, as_user="deploy")
    host.deploy("v1.3.0")
    until(
        lambda: "left to the controller" in fallback_log(host), within_s=30, what="it sees the rollback's traces"
    )
    assert (host.running(), host.unit("ActiveState")) == ("v1.3.0", "failed")
    until(lambda: host.running() == "v1.4.0", within_s=20, what="nobody came for a minute: it looks again")
