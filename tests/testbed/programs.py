"""Real programs as child processes: each with a log, and ended whole, with everything that it started.

What belongs to a program is told by a mark in the environment, which children inherit: it survives a parent's
death and a session of their own, and nobody else's process can have it. A test run that is killed takes its
programs along: the kernel ends them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.wait import until

MARK = "ROLLBACK_TESTBED_PROGRAM"
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Program:
    """One started program and everything it started."""

    name: str
    process: subprocess.Popen[bytes]
    mark: str
    log_file: Path

    @property
    def pid(self) -> int:
        """The id of the process itself."""
        return self.process.pid

    def log(self) -> str:
        """Return what it has written so far."""
        return self.log_file.read_text(errors="replace")

    def running(self) -> bool:
        """Whether it runs; a test that waits for something of a dead program gets to see its log."""
        if (code := self.process.poll()) is not None:
            raise ProgramEndedError(f"{self.name} ended with {code}:\n{self.log()[-4000:]}")
        return True

    def family(self) -> list[int]:
        """Return the ids of its own living process, first, and of those that bear its mark.

        A program that writes its title over its environment (Redis) is still known by its own id.
        """
        own = [self.pid] if self.process.poll() is None else []
        return own + [pid for pid in _pids() if pid != self.pid and _marked(pid, self.mark)]

    def kill(self, *pids: int) -> None:
        """Kill the given processes of the family, or all of it, with no chance to tidy up."""
        family = self.family()
        for pid in pids or family:
            assert pid in family, f"{pid} is no living process of {self.name}"
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            self.process.wait(timeout=10)
            until(lambda: not self.family(), within_s=10, what=f"every process of {self.name} has ended")

    def terminate(self, within_s: float = 30) -> int:
        """Ask it to end, wait, and return its exit code; none of its family may stay."""
        self.process.terminate()
        code = self.process.wait(timeout=within_s)
        until(lambda: not self.family(), within_s=10, what=f"every process of {self.name} has ended")
        return code


class ProgramEndedError(Exception):
    """A program that should run has ended."""


@contextlib.contextmanager
def started(
    name: str, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Start a program from the repository's root; on the way out, whatever is left of it is killed."""
    log_file = folder / f"{name}.log"
    mark = str(uuid.uuid4())
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=REPOSITORY,
            env={**os.environ, **(env or {}), MARK: mark},
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one call to the kernel, no lock
        )
    program = Program(name, process, mark, log_file)
    try:
        yield program
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        program.kill()


def end_with_parent() -> None:
    """Ask the kernel, in a child before it becomes its program, for SIGTERM when the thread that started it ends.

    Start programs from a thread that lives as long as they should.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.create_connection((address, port), timeout=1):
        return True


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _marked(pid: int, mark: str) -> bool:
    """Whether a living process bears the mark; one that just ended, or is a zombie, does not."""
    try:
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
