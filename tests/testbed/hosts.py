"""Real hosts: each its own systemd, sshd, network address and file system, booted in a second.

`boot_hosts` makes them on a bridge of the test run's own (see `testbed.slots`) and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed import shop
from testbed.debian_root import debian_root
from testbed.nspawn import DEPLOYER, boot, connect, end, make_bridge, make_key, make_root, wait_for_boot
from testbed.parts import program
from testbed.slots import Slot, take_slot
from testbed.wait import until

UNIT = "shop.service"


@dataclass(frozen=True, slots=True)
class Host:
    """One booted host, looked at from outside: through its root file system and its own namespaces."""

    name: str
    address: str
    root: Path
    leader: int

    def run(self, *argv: str, check: bool = True, as_user: str | None = None) -> str:
        """Run a command inside, as root unless told otherwise, and return what it printed."""
        enter = [program("nsenter"), "--target", str(self.leader), "--all"]
        become = ["runuser", "-u", as_user, "--"] if as_user else []
        done = subprocess.run(
            [*enter, *become, *argv], capture_output=True, text=True, check=False, cwd="/", timeout=60
        )
        if check:
            assert done.returncode == 0, f"{self.name}: {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def unit(self, name: str, unit: str = UNIT) -> str:
        """Return one property of a unit, such as `MainPID`, `InvocationID`, `NRestarts`, `Result`."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit)

    def process(self) -> tuple[str, str]:
        """Return main PID and invocation of the shop: equal before and after means never restarted."""
        return self.unit("MainPID"), self.unit("InvocationID")

    def link(self) -> str:
        """Return what `current` points to, as written in the link."""
        return str((self.root / "opt/shop/current").readlink())

    def running(self) -> str:
        """Return the name of the release that `current` points to."""
        return Path(self.link()).name

    def journal(self, unit: str = UNIT) -> str:
        """Return what the unit and systemd said about it."""
        return self.run("journalctl", "--no-pager", "--output=short-iso", f"--unit={unit}")

    def release(self, version: str, behaves: str = shop.WELL) -> Path:
        """Lay a release down on the host, owned by the deployer, and return its path seen from outside."""
        folder = shop.write_release(self.root / "opt/shop/releases", version, behaves)
        self.run("chown", "-R", f"{DEPLOYER}:", f"/opt/shop/releases/{version}")
        return folder

    def deploy(self, version: str, behaves: str | None = None) -> None:
        """Bring a release as a deployer would: lay it down, switch the link, restart the unit.

        A restart that fails is the deployer's business, not the test's: the bad release is meant to be bad.
        """
        if behaves is not None:
            self.release(version, behaves)
        self.switch(version)
        self.run("systemctl", "reset-failed", UNIT, check=False)
        self.run("systemctl", "restart", UNIT, check=False)

    def switch(self, version: str) -> None:
        """Point `current` at a release, as the deployer."""
        words = f"ln -s releases/{version} /opt/shop/.next && mv -T /opt/shop/.next /opt/shop/current"
        self.run("sh", "-c", words, as_user=DEPLOYER)

    def fresh(self) -> None:
        """Forget what earlier tests did to the shop: v1.2.0 is good and runs, v1.3.0 is bad and waits."""
        self.run("systemctl", "stop", UNIT, check=False)
        self.run("sh", "-c", "rm -rf /opt/shop && install -d -o deploy -g deploy /opt/shop /opt/shop/releases")
        self.run("sh", "-c", f"rm -rf /etc/systemd/system/{UNIT}.d /run/systemd/system/{UNIT}.d")
        (self.root / "etc/systemd/system" / UNIT).write_text(shop.UNIT)
        self.run("systemctl", "daemon-reload")
        self.release("v1.3.0", shop.ERRORS)
        self.deploy("v1.2.0", shop.WELL)
        until(lambda: self.answers("/healthz") == 200, within_s=20, what=f"the shop on {self.name} is healthy")

    def answers(self, path: str) -> int:
        """Return the status the shop answers with, 0 when it does not."""
        try:
            with (
                socket.create_connection((self.address, shop.PORT), timeout=2) as connection,
                connection.makefile("rb") as answer,
            ):
                connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                line = answer.readline().split()
        except OSError:
            return 0
        return int(line[1]) if len(line) > 1 else 0


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts of one test run, and what it takes to log in to them."""

    slot: Slot
    by_name: dict[str, Host]
    key_file: Path
    known_hosts: Path
    _running: dict[str, subprocess.Popen[bytes]]
    user: str = DEPLOYER

    def __getitem__(self, name: str) -> Host:
        return self.by_name[name]

    def fresh(self) -> None:
        """Bring every host back to where a test expects it."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Host.fresh, self.by_name.values()))

    def cut_the_power(self, name: str) -> None:
        """End everything on a host at once, as a reset does. Until `power_on` it does not answer."""
        self[name].run("systemctl", "poweroff", "--force", "--force", check=False)
        self._running[name].wait(timeout=20)

    def power_on(self, name: str) -> Host:
        """Boot a host again that was cut off, and return it: a `Host` from before is of the boot before."""
        process = self._running[name] = boot(self.slot, name, self[name].root)
        self.by_name[name] = _booted(name, self[name].address, self[name].root, process)
        return self[name]


@contextlib.contextmanager
def boot_hosts(names: Sequence[str]) -> Iterator[Hosts]:
    """Boot hosts side by side; on the way out they are ended and nothing of them stays."""
    lower = debian_root()
    with take_slot() as slot, contextlib.ExitStack() as running:
        slot.folder.mkdir(parents=True)
        key_file = make_key(slot.folder / "id_ed25519", DEPLOYER)
        make_bridge(slot)
        addresses = [slot.address(number) for number, _ in enumerate(names, start=2)]
        roots = [make_root(slot, name, lower, key_file) for name in names]
        spawned: dict[str, subprocess.Popen[bytes]] = {}
        running.callback(lambda: [end(process) for process in spawned.values()])
        for name, address, root in zip(names, addresses, roots, strict=True):
            connect(slot, name, address)
            spawned[name] = boot(slot, name, root)
        with ThreadPoolExecutor() as pool:
            hosts = list(pool.map(_booted, names, addresses, roots, spawned.values()))
        known = _write_known_hosts(slot.folder / "known_hosts", hosts)
        booted = Hosts(slot, {host.name: host for host in hosts}, key_file, known, spawned)
        booted.fresh()
        yield booted


def _booted(name: str, address: str, root: Path, process: subprocess.Popen[bytes]) -> Host:
    """Wait until a host has booted and can be logged in to."""
    host = Host(name, address, root, wait_for_boot(process))
    until(partial(_sshd_greets, address), within_s=30, what=f"sshd of {name} answers")
    return host


def _sshd_greets(address: str) -> bool:
    with socket.create_connection((address, 22), timeout=2) as connection:
        return connection.recv(4) == b"SSH-"


def _write_known_hosts(path: Path, hosts: Iterable[Host]) -> Path:
    """Learn each host key from the host's own file system, not from whoever answers on the network."""
    lines = []
    for host in hosts:
        kind, key, *_ = (host.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        lines.append(f"{host.address} {kind} {key}\n")
    path.write_text("".join(lines))
    return path
