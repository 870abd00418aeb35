"""The reconciler: rings for whatever is due. One on each worker machine, without a leader, as its own process."""

from __future__ import annotations

import os
import socket

import structlog

from controller.ledger import Ledger, LedgerUnavailable
from controller.settings.numbers import Numbers
from workers.stopping import Stopping

log = structlog.get_logger(__name__)


def reconcile(ledger: Ledger, numbers: Numbers, stopping: Stopping) -> None:
    """Ring every two seconds until asked to stop; Redis being away is waited out."""
    name = f"{socket.gethostname()}:{os.getppid()}"
    while True:
        _look(ledger, name)
        if stopping.wait(numbers.reconcile_every_s):
            break
    try:
        ledger.health.worker_left(name)
    except LedgerUnavailable as e:
        log.warning("reconciler.ledger_unavailable", error=str(e))


def _look(ledger: Ledger, name: str) -> None:
    try:
        ledger.health.worker_heard(name)
        rung = ledger.bells.ring_due()
    except LedgerUnavailable as e:
        log.warning("reconciler.ledger_unavailable", error=str(e))
        return
    if rung:
        log.info("reconciler.rang", ids=rung)
