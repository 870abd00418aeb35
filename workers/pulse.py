"""What the processes of one worker machine know of each other: memory that the supervisor writes and all share."""

from __future__ import annotations

import mmap
import struct
import time

_FORMAT = struct.Struct("dbb")
_STALE_S = 30
"""Its loop takes a tenth of a second, and two when files are read anew."""


class Pulse:
    """The supervisor's heartbeat; made before it forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _FORMAT.size)
        self.beat(running=False)

    def beat(self, *, running: bool, stopping: bool = False) -> None:
        """Say that the supervisor looks after its processes, whether every one of them runs, or has to stop."""
        _FORMAT.pack_into(self._memory, 0, time.monotonic(), running, stopping)

    @property
    def alive(self) -> bool:
        """Whether the supervisor looked lately; while it waits for the last step it need not."""
        at, _, stopping = _FORMAT.unpack_from(self._memory)
        return bool(stopping) or time.monotonic() - at < _STALE_S

    @property
    def ready(self) -> bool:
        """Whether every process runs and nobody asked them to stop."""
        _, running, stopping = _FORMAT.unpack_from(self._memory)
        return self.alive and bool(running) and not stopping
