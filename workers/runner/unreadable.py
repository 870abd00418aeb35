"""A record that cannot be read: held, so that it neither rings for ever nor blocks its instance unseen."""

from __future__ import annotations

import structlog

from controller.ledger import Hold, Ledger, Taken
from rules.decisions import Reason

log = structlog.get_logger(__name__)

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What a record, a plan or an answer raises that is not as this version knows it."""


def hold_unreadable(ledger: Ledger, taken: Taken, error: Exception) -> None:
    """Hold a record that cannot be read; only a person moves it on."""
    detail = f"the record cannot be read ({error!r}): look at it with redis-cli, then cancel it or mend it"
    log.error("rollback.unreadable", rollback=taken.id, detail=detail)
    fields = {"reason": str(Reason.RECORD_UNREADABLE), "detail": detail}
    hold = Hold(taken.id, taken.lease, taken.token)
    ledger.rollbacks.hold_unreadable(hold, taken.record.get("state", ""), fields)
