"""A numbered place on this machine for one test run: its addresses, names, mounts and processes.

The run holds an flock on its slot for as long as it lives, so the kernel itself says whether a slot's owner
is dead. Whoever takes a free slot first clears what a killed run left there, and touches no other slot. Two
runs on one machine get two slots, and so never share an address, a name or a folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed import control_groups
from testbed.parts import PartMissingError, program
from testbed.wait import until

HOME = Path("/var/lib/rollback-testbed")
SLOTS = 16


@dataclass(frozen=True, slots=True)
class Slot:
    """One test run's own place; everything in it is named after the number."""

    number: int

    @property
    def folder(self) -> Path:
        """Where the run keeps its mounts and pid files."""
        return HOME / str(self.number)

    @property
    def bridge(self) -> str:
        """The name of the run's bridge."""
        return f"rbtest{self.number}"

    @property
    def gateway(self) -> str:
        """The address of this machine on the run's bridge."""
        return self.address(1)

    def address(self, last: int) -> str:
        """Return an address of the run's own network."""
        return f"10.90.{self.number}.{last}"

    @property
    def services(self) -> str:
        """The network that the addresses of a cluster's Services are taken from."""
        return f"10.91.{self.number}.0/24"

    @property
    def api_service(self) -> str:
        """The address by which pods know the API server: the first of that network."""
        return f"10.91.{self.number}.1"

    def namespace(self, name: str) -> str:
        """Return the network namespace's name for the host `name`."""
        return f"{self.bridge}-{name}"


@contextlib.contextmanager
def take_slot(part: str = "systemd hosts") -> Iterator[Slot]:
    """Hold a slot of one's own, cleared before and after; `part` is what is missing if there is none."""
    if os.geteuid() != 0:
        raise PartMissingError(part, "needs root on Debian")
    HOME.mkdir(parents=True, exist_ok=True)
    for number in range(SLOTS):
        with (HOME / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            slot = Slot(number)
            clear(slot)
            try:
                yield slot
            finally:
                clear(slot)
            return
    raise PartMissingError(part, f"all {SLOTS} slots under {HOME} are in use by live test runs")


def clear(slot: Slot) -> None:
    """End and remove everything that bears the slot's name."""
    for namespace in _namespaces(slot):
        _end_processes_in(namespace)
        ip("netns", "del", namespace)
    control_groups.end_and_remove(f"{slot.bridge}-")
    for mount in _mounts_under(slot.folder):
        subprocess.run([program("umount"), "-l", mount], check=True)
    if (Path("/sys/class/net") / slot.bridge).exists():
        ip("link", "del", slot.bridge)
    shutil.rmtree(slot.folder, ignore_errors=True)


def ip(*arguments: str) -> str:
    """Run iproute2's `ip` and return what it prints."""
    done = subprocess.run([program("ip"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PartMissingError("network namespaces", f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _namespaces(slot: Slot) -> list[str]:
    names = (line.split()[0] for line in ip("netns", "list").splitlines() if line)
    return [name for name in names if name.startswith(f"{slot.bridge}-")]


def _end_processes_in(namespace: str) -> None:
    """Kill what lives in a namespace that only this slot's owner can have made."""

    def gone() -> bool:
        pids = [int(pid) for pid in ip("netns", "pids", namespace).split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    until(gone, within_s=20, what=f"no process is left in the network namespace {namespace}")


def _mounts_under(folder: Path) -> list[str]:
    points = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)
