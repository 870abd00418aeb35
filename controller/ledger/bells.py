"""The reconciler's part of the ledger: what is due, rung once by one of however many reconcilers there are."""

from __future__ import annotations

from typing import Any

from controller.ledger.connection import Scripts
from controller.ledger.doorbell import Doorbell
from controller.ledger.keys import QUEUE_LIST

_AT_MOST = 200


class Bells:
    """Rings for whatever somebody must look at."""

    def __init__(self, scripts: Scripts, doorbell: Doorbell) -> None:
        self._scripts = scripts
        self._doorbell = doorbell

    def ring_due(self) -> int:
        """Ring for the ids whose time has come and say how many.

        A crash between the script and the ringing costs one pause of `due`, no more.
        """
        due = self._scripts.run("due", _AT_MOST, QUEUE_LIST)
        if not due:
            return 0

        def build(pipe: Any) -> None:
            for ident, n in due:
                self._doorbell.ring(pipe, ident, int(n))

        self._scripts.transact(build)
        return len(due)

    def wake_orphans(self) -> tuple[str, ...]:
        """Wake the unfinished rollbacks that have no entry in `due` and are not held; returns their ids.

        There are none unless a hand or a fault took the entry away: whatever leaves a rollback unfinished writes
        it in the same script.
        """
        return tuple(self._scripts.run("orphans"))
