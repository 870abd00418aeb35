"""The machine that the controller runs on, for `connection: local`."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, cast

from rules.decisions import Reason
from rules.errors import Permanent, Transient
from workers.hosts.connection import AFTER_EXIT_S, Gathered, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""Of the worker's environment: its own settings, and the secrets among them, are not the service's business."""


class Local:
    """Commands as child processes, each leading a session of its own so that it can be ended whole."""

    @property
    def is_root(self) -> bool:
        """Whether the worker itself is root."""
        return os.geteuid() == 0

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Result:
        """Run one command; past its deadline it and its children are killed."""
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            message = f"cannot run {argv[0]!r} on this machine: {error.strerror}; install it"
            raise Permanent(Reason.TARGET_MISCONFIGURED, message) from error
        with process:
            try:
                return _drain(process, time.monotonic() + deadline_s)
            except TimeoutError as error:
                message = f"a command on this machine took longer than {deadline_s:g} s and was ended"
                raise Transient(Reason.DEADLINE, message) from error
            finally:
                _end(process)

    def close(self) -> None:
        """Nothing is held."""


def _drain(process: subprocess.Popen[bytes], deadline: float) -> Result:
    gathered = Gathered()
    with selectors.DefaultSelector() as streams:
        for stream, take in ((process.stdout, gathered.out), (process.stderr, gathered.err)):
            streams.register(cast("IO[bytes]", stream), selectors.EVENT_READ, take)
        ended_at = None
        while streams.get_map():
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            for key, _ in streams.select(min(deadline - now, AFTER_EXIT_S)):
                data = os.read(key.fd, 65536)
                key.data(data)
                if not data:
                    streams.unregister(key.fileobj)
            if process.poll() is not None:
                ended_at = ended_at or now
                if now - ended_at > AFTER_EXIT_S:
                    break
    return gathered.result(_code(process, deadline))


def _code(process: subprocess.Popen[bytes], deadline: float) -> int:
    """Wait for the exit code. `wait` with a timeout sleeps and asks by turns; the kernel can tell at once."""
    left_s = max(deadline - time.monotonic(), 0.001)
    if process.poll() is None and hasattr(os, "pidfd_open"):
        ended, handle = select.poll(), os.pidfd_open(process.pid)
        ended.register(handle, select.POLLIN)
        ended.poll(left_s * 1000)
        os.close(handle)
        left_s = 0.001
    try:
        return process.wait(left_s)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole session of a command that is still there."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
