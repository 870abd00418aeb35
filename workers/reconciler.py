"""The reconciler: rings for whatever is due. One on each worker machine, without a leader, as its own process."""

from __future__ import annotations

import os
import socket

import structlog

from controller.ledger import Ledger, LedgerUnavailable
from controller.settings.numbers import Numbers
from controller.settings.sealing import Audit
from workers.sealing import Sealing
from workers.stopping import Stopping

log = structlog.get_logger(__name__)

NOTHING_SEALED = Audit()


def reconcile(ledger: Ledger, numbers: Numbers, stopping: Stopping, audit: Audit = NOTHING_SEALED) -> None:
    """Ring every two seconds until asked to stop; Redis being away is waited out."""
    name = f"{socket.gethostname()}:{os.getppid()}"
    sealing = Sealing(ledger, audit)
    while True:
        _look(ledger, name, sealing)
        if stopping.wait(numbers.reconcile_every_s):
            break
    try:
        ledger.health.worker_left(name)
    except LedgerUnavailable as e:
        log.warning("reconciler.ledger_unavailable", error=str(e))


def _look(ledger: Ledger, name: str, sealing: Sealing) -> None:
    try:
        ledger.health.worker_heard(name)
        rung = ledger.bells.ring_due()
        sealing.look()
    except LedgerUnavailable as e:
        log.warning("reconciler.ledger_unavailable", error=str(e))
        return
    if rung:
        log.info("reconciler.rang", ids=rung)
