"""Child processes that are never left behind: each leads its own session, and goes when this process goes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Child:
    """One started process."""

    name: str
    process: subprocess.Popen[bytes]
    grace_s: float


class Children:
    """Starts processes in order and stops them in the opposite one, however this block is left.

    A session of their own keeps a terminal's Ctrl-C from reaching all of them at once.
    """

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
        grace_s: float = 10,
    ) -> Child:
        """Start one; `log` takes its output, which else goes where ours goes."""
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            preexec_fn=_go_with_the_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
        )
        child = Child(name, process, grace_s)
        self._children.append(child)
        return child

    def wait(self, stopping: threading.Event) -> Child | None:
        """Wait until we are asked to stop, or until a child ends by itself, which is returned."""
        while not stopping.wait(0.2):
            if ended := self.ended():
                return ended
        return None

    def tell(self, number: int, *names: str) -> None:
        """Pass a signal on to these children, as far as they are there."""
        for child in self._children:
            if child.name in names and child.process.poll() is None:
                child.process.send_signal(number)

    def ended(self) -> Child | None:
        """Return a child that has ended by itself."""
        return next((child for child in self._children if child.process.poll() is not None), None)

    def stop(self) -> None:
        """Ask the last one first; whoever outlives its grace is killed, with everything it started."""
        while self._children:
            child = self._children.pop()
            if child.process.poll() is None:
                child.process.terminate()
            _wait(child.process, child.grace_s)
            _kill_session(child.process.pid)
            child.process.wait()


def _wait(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Wait for the end; a second Ctrl-C cuts the wait short, not the killing."""
    deadline = time.monotonic() + grace_s
    while process.poll() is None and time.monotonic() < deadline:
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            return


def _kill_session(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _go_with_the_parent() -> None:
    """Have the kernel tell the child when we are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
