"""What a command owes that is the first process of its container: the kernel spares that one every default.

Without a handler SIGTERM does nothing to it, and whoever stops the container waits until its grace is over.
"""

from __future__ import annotations

import os
import signal
import sys

_FIRST = 1


def obey_sigterm() -> None:
    """End on SIGTERM until a command has a better answer; nothing where we are not the first process."""
    if os.getpid() == _FIRST:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def hold_sigterm() -> None:
    """Keep a SIGTERM that comes from here on for the program that this process becomes, which takes it."""
    if os.getpid() == _FIRST:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
