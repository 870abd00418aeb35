"""A process that stands by for the next job: forked before there is one, it begins within a millisecond.

A fork costs a few milliseconds, and as much again until the child has touched what it needs. Standing by is only a
matter of speed: where the process is gone, or knows other rules than its parent, the job is forked for as ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

_MOST_BYTES = 4096  # one write of so much into a pipe is whole or not at all (PIPE_BUF)


@dataclass(slots=True)
class Standby:
    """One such process, as its parent knows it. Where the parent dies, the pipe ends, and so does it."""

    pid: int
    _pipe: int

    @classmethod
    def fork(cls, serve: Callable[[bytes], None], prepare: Callable[[], None]) -> Standby:
        """Fork a process that does `prepare`, waits for a word, gives it to `serve` and ends."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            _stand_by(reading, serve, prepare)
        os.close(reading)
        return cls(pid, writing)

    def hand_over(self, word: bytes) -> bool:
        """Give it its work; false where it does not live any more, and then it is reaped."""
        if len(word) > _MOST_BYTES or self._is_over():
            self.dismiss()
            return False
        try:
            os.write(self._pipe, word)
        except BrokenPipeError:
            self.dismiss()
            return False
        os.close(self._pipe)
        self._pipe = -1
        return True

    def dismiss(self) -> None:
        """Let it end without work, and wait until it has."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0

    def _is_over(self) -> bool:
        found, _ = os.waitpid(self.pid, os.WNOHANG)
        if found:
            self.pid = 0
        return bool(found)


def _stand_by(reading: int, serve: Callable[[bytes], None], prepare: Callable[[], None]) -> NoReturn:
    """Never returns: what stands above on the stack is the parent's."""
    code = 1
    try:
        os.setpgrp()
        prepare()
        word = os.read(reading, _MOST_BYTES)
        os.close(reading)
        if word:
            serve(word)
        code = 0
    except Exception:  # the outermost of this process
        log.exception("standby.failed")
    finally:
        os._exit(code)
