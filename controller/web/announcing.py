"""Telling the workers by which rules this server goes: what they do not know is then on its way, and not gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from controller.ledger import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.ledger import Ledger
    from controller.settings.house import House

log = structlog.get_logger(__name__)


class Announcing:
    """Says it at once where the rules are others, and every so often: a server that is gone says nothing.

    Redis is asked for that at quiet times, too, so the log says from here since when it was away.
    """

    def __init__(
        self, ledger: Ledger, house: House, *, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.every_s = every_s
        self._ledger = ledger
        self._house = house
        self._clock = clock
        self._said: frozenset[str] = frozenset()
        self._said_at = float("-inf")
        self._is_away = False

    def look(self) -> None:
        """Say it if it is time; where Redis is away, the next look does."""
        digests = self._house.digests
        if digests == self._said and self._clock() - self._said_at < self.every_s:
            return
        try:
            self._ledger.spreading.announce(digests)
        except LedgerUnavailable as error:
            if not self._is_away:
                log.warning(
                    "ledger.unavailable", problem=str(error), consequence="alerts are answered 503 until it is"
                )
            self._is_away = True
            return
        if self._is_away:
            log.info("ledger.answers_again")
        self._is_away = False
        self._said, self._said_at = digests, self._clock()
