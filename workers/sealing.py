"""Seals what ended, within seconds, where the settings name a key; what waits meanwhile is kept in the ledger."""

from __future__ import annotations

import structlog

from controller.ledger import Ledger
from controller.settings.sealing import Audit
from controller.settings.secrets import SecretUnreadable

log = structlog.get_logger(__name__)


class Sealing:
    """The reconciler's part in sealing. A key file that cannot be used is complained of once, and waited for."""

    def __init__(self, ledger: Ledger, audit: Audit) -> None:
        self._ledger = ledger
        self._audit = audit
        self._complaint = ""

    def look(self) -> int:
        """Seal what waits, and say how many; raises `LedgerUnavailable`."""
        if self._audit.key_file is None:
            return 0
        waiting = self._ledger.seals.waiting()
        if not waiting:
            return 0
        try:
            keys = self._audit.keys()
        except SecretUnreadable as e:
            self._complain(str(e))
            return 0
        self._complaint = ""
        return self._ledger.seals.seal(waiting, keys[-1])

    def _complain(self, problem: str) -> None:
        if problem != self._complaint:
            log.error("seals.key_unusable", problem=problem, meanwhile="what ends is not sealed, and waits for it")
        self._complaint = problem
