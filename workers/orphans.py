"""Processes that lost their parent come to the first process of a container: it has to bury them."""

from __future__ import annotations

import os
from collections.abc import Collection
from multiprocessing.process import BaseProcess


def bury_orphans(ours: Collection[BaseProcess]) -> int:
    """Wait for ended children that we never started, and return how many they were.

    What a killed worker leaves behind is handed to us where we are the first process; unburied, each keeps a
    number of the container's until it has none left.
    """
    buried = 0
    while (ended := _ended()) is not None:
        own = next((process for process in ours if process.pid == ended), None)
        if own is not None:
            own.is_alive()  # waits for it, and keeps what it ended with
        else:
            os.waitpid(ended, 0)
            buried += 1
    return buried


def _ended() -> int | None:
    """Return a child that has ended, and leave it to whoever asks what it ended with."""
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if seen is None else seen.si_pid
