"""The testbed's hosts are real: a systemd, an sshd and a file system each, and they share nothing."""

from __future__ import annotations

import subprocess

from testbed import shop
from testbed.hosts import Hosts
from testbed.wait import until


def over_ssh(hosts: Hosts, name: str, command: str) -> str:
    """Run a command as the deployer, with the host's key checked strictly."""
    options = [f"UserKnownHostsFile={hosts.known_hosts}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"]
    argv = ["ssh", "-F", "none", "-i", str(hosts.key_file)]
    argv += [word for option in options for word in ("-o", option)]
    argv += [f"{hosts.user}@{hosts[name].address}", command]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def test_the_deployer_logs_in_and_may_restart_the_shop_and_nothing_else(hosts: Hosts) -> None:
    """The key opens each host; sudo knows the shop's unit and no other."""
    assert over_ssh(hosts, "web1", "hostname; id -un") == "web1\ndeploy"
    before = hosts["web1"].process()
    over_ssh(hosts, "web1", "sudo -n /usr/bin/systemctl restart shop.service")
    assert hosts["web1"].process() != before
    refused = over_ssh(hosts, "web1", "sudo -n /usr/bin/systemctl restart ssh.service 2>&1 || true")
    assert "password is required" in refused


def test_hosts_share_nothing(hosts: Hosts) -> None:
    """A deploy on one host leaves process and link of the other alone."""
    stable = hosts["web1"].process()
    hosts["web2"].deploy("v1.3.0")
    until(lambda: hosts["web2"].answers("/healthz") == 503, within_s=10, what="v1.3.0 is ill on web2")
    assert (hosts["web1"].running(), hosts["web2"].running()) == ("v1.2.0", "v1.3.0")
    assert hosts["web1"].process() == stable
    assert hosts["web1"].answers("/healthz") == 200


def test_a_crash_loop_reaches_the_start_limit(hosts: Hosts) -> None:
    """After it, the good release is refused too until the failure is reset: what a rollback must know."""
    web2 = hosts["web2"]
    web2.deploy("v1.3.0", shop.CRASHES)
    until(lambda: web2.unit("ActiveState") == "failed", within_s=20, what="the start limit is reached")
    web2.switch("v1.2.0")
    web2.run("systemctl", "restart", "shop.service", check=False)
    assert web2.unit("ActiveState") == "failed"
    web2.deploy("v1.2.0")
    assert web2.unit("ActiveState") == "active"
