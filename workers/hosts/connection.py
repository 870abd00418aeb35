"""How a host is spoken to: one command at a time, as an argument list, with a deadline of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT_CAP = 8 << 20
"""Bytes kept of each stream. What comes beyond is read and dropped, so that the command is never blocked."""

AFTER_EXIT_S = 0.25
"""How long to listen on after a command has ended: a daemon that it left behind may hold its streams for ever."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one command. `exit` is its exit code, negative for the signal that ended it."""

    exit: int
    stdout: bytes
    stderr: bytes = b""

    @property
    def said(self) -> str:
        """What the command said about itself: the end of its error stream, for a person."""
        return self.stderr.decode(errors="replace").strip()[-800:]


class Connection(Protocol):
    """One host, reached. Raises `Transient` or `Permanent` where it cannot be; never because of an exit code."""

    @property
    def is_root(self) -> bool:
        """Whether commands run as root; if not, systemd is spoken to through sudo."""

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Result:
        """Run one command to its end, both streams drained.

        A command that outlives the deadline raises `Transient` (`deadline`); on a host it may still be at work.
        """

    def close(self) -> None:
        """Let go."""


class Gathered:
    """The streams of one command, as they come in."""

    def __init__(self) -> None:
        self._out = bytearray()
        self._err = bytearray()

    def out(self, data: bytes) -> None:
        """Take what came on the standard output."""
        self._out += data[: OUTPUT_CAP - len(self._out)]

    def err(self, data: bytes) -> None:
        """Take what came on the standard error output."""
        self._err += data[: OUTPUT_CAP - len(self._err)]

    def result(self, code: int) -> Result:
        """Close the books with the command's exit code."""
        return Result(code, bytes(self._out), bytes(self._err))
