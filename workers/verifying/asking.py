"""One monitoring server, asked for one look: bounded in time, and left alone once it did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from rules.errors import Transient

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class Asking:
    """Asks until `until` (by `time.monotonic`). `blind` says why something could not be asked, if anything."""

    until: float
    blind: str = ""

    def __call__(self, ask: Callable[[], T]) -> T | None:
        """Return what is said; None where it cannot be known now. Raises `Permanent` for what is no question."""
        if self.blind:
            return None
        if time.monotonic() > self.until:
            self.blind = "monitoring answers too slowly for all that had to be asked"
            return None
        try:
            return ask()
        except Transient as e:
            log.warning("verifying.not_told", error=str(e))
            self.blind = str(e)
            return None
