"""The guard that a host keeps for its own service, installed as the how-to says."""

from __future__ import annotations

import json
import shutil

from testbed.hosts import Host, Hosts
from testbed.nspawn import DEPLOYER
from testbed.programs import REPOSITORY
from testbed.wait import until

GUARD = REPOSITORY / "systemd/guard"
CONF = """\
current=/opt/shop/current
releases=/opt/shop/releases
executable=bin/shop
steady=5
"""


def install_guard(host: Host, more: str = "") -> None:
    """Put the guard around the shop, with what runs as its last stable release; `more` adds settings."""
    root = host.root
    shutil.copy(GUARD / "rollback-guard", root / "usr/local/sbin/rollback-guard")
    for unit in GUARD.glob("*.service"):
        shutil.copy(unit, root / "etc/systemd/system" / unit.name)
    drop_ins = root / "etc/systemd/system/shop.service.d"
    drop_ins.mkdir(exist_ok=True)
    shutil.copy(GUARD / "50-rollback-guard.conf", drop_ins)
    write_guard_settings(host, more)
    host.run("rm", "-rf", "/run/rollback-guard")
    host.run("systemctl", "reset-failed")
    host.run("sh", "-c", "date +%s.%6N >/etc/rollback-guard/since")
    host.run("systemctl", "daemon-reload")
    host.run("sh", "-c", f"echo {host.running()} >/opt/shop/last_stable", as_user=DEPLOYER)
    host.run("systemctl", "restart", "shop.service")
    # systemd calls it started before its interpreter has opened the script, by way of the link.
    until(lambda: host.answers("/healthz") == 200, within_s=20, what="the guarded shop is healthy")


def write_guard_settings(host: Host, more: str = "") -> None:
    """Write the guard's settings anew; it reads them each time."""
    settings = host.root / "etc/rollback-guard"
    settings.mkdir(exist_ok=True)
    (settings / "shop.conf").write_text(CONF + more)
    (settings / "shop.conf").chmod(0o644)


def last_stable(host: Host) -> str:
    """Return what is written down as the last stable release, nothing if nothing is."""
    noted = host.root / "opt/shop/last_stable"
    return noted.read_text().strip() if noted.exists() else ""


def fallback_log(host: Host) -> str:
    """Return what the local fallback has said since the guard was installed."""
    return said_since_installed(host, "rollback-fallback@shop.service")


def said_since_installed(host: Host, unit: str) -> str:
    """Return what a unit, and systemd about it, have said since the guard was installed: not in tests before."""
    since = (host.root / "etc/rollback-guard/since").read_text().strip()
    words = ["--no-pager", "--output=cat", f"--since=@{since}", f"--unit={unit}"]
    return host.run("journalctl", *words)


def shop_inventory(hosts: Hosts, host: Host) -> str:
    """Return the inventory of the shop on one host, reached over SSH."""
    entry = {
        "releases": "/opt/shop/releases",
        "current": "/opt/shop/current",
        "executable": "bin/shop",
        "restart": {"systemd": "shop.service"},
        "health": {"url": "http://{address}:8080/healthz", "within": "20s"},
        "hosts": [{"name": host.name, "address": host.address, "labels": {"track": "canary"}}],
    }
    ssh = {"user": hosts.user, "key-file": str(hosts.key_file), "known-hosts": str(hosts.known_hosts)}
    return json.dumps({"version": "inventory/v1", "ssh": ssh, "services": {"shop": entry}})
