"""Holds a lock while a command runs: renews it beside the command, passes signals on, lets go at the end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from controller.cli.failures import Conflict, Failed, Unreachable
from controller.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType, TracebackType

    from controller.cli.api import Api

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""As a shell says it."""
_AFTER_SIGNAL = 128


class Holding:
    """A lock that is renewed by a thread until the block ends, and then released."""

    def __init__(self, server: Api, path: str, asked: Mapping[str, str], token: str, ttl_s: float) -> None:
        self._server = server
        self._path = path
        self._asked = asked
        self._token = token
        self._ttl_s = ttl_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._renewed_at = time.monotonic()
        self._told = ""
        self.lost = False
        """Whether it was not ours for a while, however short."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if not self._token:
            return
        try:
            self._server.delete(self._path, {"token": self._token})
        except Conflict:
            self._lose("its time was over, or somebody took it away")
        except Failed as e:
            say(f"The lock could not be released and ends by itself within {self._ttl_s:g} s: {e}", err=True)

    def _renew(self) -> None:
        while not self._over.wait(self._ttl_s / 3):
            try:
                self._once()
                self._renewed_at, self._told = time.monotonic(), ""
            except Conflict as held:
                self._token = ""
                self._lose(str(held))
            except Unreachable as e:
                if time.monotonic() - self._renewed_at > self._ttl_s:
                    self._lose(str(e))
            except Failed as e:
                self._lose(str(e))

    def _once(self) -> None:
        """Renew it; where it is lost, try to have it again."""
        if self._token:
            try:
                self._server.put(self._path, {"token": self._token, "ttl": self._asked["ttl"]})
            except Conflict as gone:
                self._token = ""
                self._lose(str(gone))
        if not self._token:
            self._token = str(self._server.post(self._path, self._asked)["token"])
            say("Locked again.", err=True)

    def _lose(self, why: str) -> None:
        self.lost = True
        if why != self._told:
            say(f"The lock is lost while the command runs, and rules may act meanwhile: {why}", err=True)
            self._told = why


def run(argv: Sequence[str]) -> int:
    """Run a command to its end and return its exit code, as a shell would; signals meant for us reach it."""
    passed = _Passing()
    with passed:
        try:
            child = subprocess.Popen(argv)
        except FileNotFoundError:
            hint = " Options come before the service." if argv[0].startswith("-") else ""
            say(f"{argv[0]}: there is no such command.{hint}", err=True)
            return _NOT_FOUND
        except OSError as error:
            say(f"{argv[0]}: {error.strerror}.", err=True)
            return _NOT_EXECUTABLE
        passed.to(child)
        code = child.wait()
    return code if code >= 0 else _AFTER_SIGNAL - code


class _Passing:
    """Passes signals on to a child. Those that came before it was there reach it too."""

    _SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT)
    _FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._pass) for number in self._SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        for number in self._early:
            child.send_signal(number)

    def _pass(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number in self._FROM_TERMINAL and sys.stdin is not None and sys.stdin.isatty():
            return  # the terminal sends it to the child as well: it is of the same group
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)
