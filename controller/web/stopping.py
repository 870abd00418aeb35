"""Whether this server was asked to stop: said by the process that watches, asked by the one that serves."""

from __future__ import annotations

import ctypes
from multiprocessing import RawValue


class Stopping:
    """A flag in memory that both share; set once, and without a lock that a killed process could keep."""

    def __init__(self) -> None:
        self._asked = RawValue(ctypes.c_bool)

    def set(self) -> None:
        """Say that no new work is taken from now on."""
        self._asked.value = True

    def is_set(self) -> bool:
        """Whether somebody said so."""
        return bool(self._asked.value)
