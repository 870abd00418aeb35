"""A worker machine that is paused past its lease: stopped whole, and let go on when another has done its work."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from testbed.programs import Program
from testbed.stopping import STOPPED
from testbed.wait import until

SHORT = {
    "call_timeout_s": 2,
    "lease_ttl_s": 3,
    "lease_renew_s": 0.5,
    "lease_renew_timeout_s": 0.5,
    "lease_lost_s": 2,
    "reconcile_every_s": 0.5,
    "due_first_s": 1,
    "group_interval_s": 1,
}
"""Numbers that agree with each other as the usual ones do, only shorter: a lease is soon over."""
LOST = ("rollback.lease_lost", "rollback.not_written")
"""What a worker says that finds its lease gone, before a step or at its last write."""


def stops_at(point: str, folder: Path) -> Sequence[str]:
    """Say how a machine is run whose job stops itself at a point; see `testbed.stopping`."""
    return ("testbed.stopping", point, str(folder))


@dataclass(slots=True)
class Paused:
    """One machine whose processes are stopped. What it has started on hosts goes on, as there it would."""

    machine: Program
    stopped: list[int] = field(default_factory=list)
    job: int = 0

    @classmethod
    def by_itself(cls, machine: Program, folder: Path, within_s: float = 30) -> Paused:
        """Wait until a job has stopped itself, then stop the rest."""
        said = folder / STOPPED
        until(lambda: machine.running() and said.read_text(), within_s=within_s, what="a job stops at the point")
        return cls.of(machine, job=int(said.read_text()))

    @classmethod
    def of(cls, machine: Program, *, job: int = 0) -> Paused:
        """Stop every process of a machine that is the product's own."""
        paused = cls(machine, [pid for pid in machine.family() if _is_ours(pid)], job)
        for pid in paused.stopped:
            os.kill(pid, signal.SIGSTOP)
        for pid in paused.stopped:
            until(partial(_stands_still, pid), within_s=5, what=f"{pid} stands still")
        return paused

    def resume(self) -> None:
        """Let all of it go on, the job last: the others find everything as the job left it."""
        for pid in sorted(self.stopped, key=lambda pid: pid == self.job):
            os.kill(pid, signal.SIGCONT)

    def says_that_it_lost(self, within_s: float = 20) -> None:
        """Wait until the log of the machine says that the lease is somebody else's."""
        until(
            lambda: any(word in self.machine.log() for word in LOST),
            within_s=within_s,
            what="the resumed worker says that its lease is lost",
        )


def _is_ours(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == sys.executable.encode()
    except OSError:
        return False


def _stands_still(pid: int) -> bool:
    """Whether the kernel says that a process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
