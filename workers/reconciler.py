"""The reconciler: rings for whatever is due. One on each worker machine, without a leader, as its own process."""

from __future__ import annotations

import os
import socket
import time

import structlog

from controller.ledger import Ledger, LedgerUnavailable
from controller.settings.numbers import Numbers
from controller.settings.sealing import Audit
from workers.sealing import Sealing
from workers.stopping import Stopping

log = structlog.get_logger(__name__)

NOTHING_SEALED = Audit()
_ORPHANS_EVERY_S = 60
_NAMED_MOST = 10


def reconcile(ledger: Ledger, numbers: Numbers, stopping: Stopping, audit: Audit = NOTHING_SEALED) -> None:
    """Ring every two seconds until asked to stop; Redis being away is waited out."""
    name = f"{socket.gethostname()}:{os.getppid()}"
    sealing = Sealing(ledger, audit)
    orphans_at = 0.0
    while True:
        if time.monotonic() >= orphans_at:
            _wake_orphans(ledger)
            orphans_at = time.monotonic() + _ORPHANS_EVERY_S
        _look(ledger, name, sealing)
        if stopping.wait(numbers.reconcile_every_s):
            break
    try:
        ledger.health.worker_left(name)
    except LedgerUnavailable as e:
        log.warning("reconciler.ledger_unavailable", error=str(e))


def _wake_orphans(ledger: Ledger) -> None:
    """Look for what `due` has lost; before ringing, so that what is found is rung for at once."""
    try:
        woken = ledger.bells.wake_orphans()
    except LedgerUnavailable:
        return  # the next line says it
    if woken:
        fix = (
            "somebody, or a fault, took their entries out of rc:due: they go on now; see who writes to this Redis"
        )
        log.error("reconciler.orphans_woken", ids=list(woken[:_NAMED_MOST]), count=len(woken), fix=fix)


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
