"""Keeping a lease: renewed beside the work, and given up by our own clock before Redis gives it to another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from controller.ledger import Hold, LeaseLost, Ledger, LedgerUnavailable, Taken
from controller.settings.numbers import Numbers
from workers.stopping import Stopping as StopFlag

log = structlog.get_logger(__name__)


def boot_time() -> float:
    """Return seconds by a clock that also counts the time this machine was suspended, where it has one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Stopping(Exception):
    """The worker is asked to stop; what is under way parks here."""


class Lease:
    """A lease that renews itself in a thread of its own, from its own connection.

    `since` is our clock (`boot_time`) from before the lease was asked for: the term is counted from there, so a
    slow answer never makes us believe in a lease that Redis has already let lapse.
    """

    def __init__(
        self,
        taken: Taken,
        *,
        since: float,
        numbers: Numbers,
        keeper: Callable[[], Ledger],
        stopping: StopFlag,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self.hold = Hold(taken.id, taken.lease, taken.token)
        self.fence = taken.fence
        self._sure_at = since
        self._numbers = numbers
        self._keeper = keeper
        self._stopping = stopping
        self._clock = clock
        self._over = threading.Event()
        self._taken_away = False
        self._thread = threading.Thread(target=self._keep, name=f"lease-{taken.id}", daemon=True)

    def __enter__(self) -> Self:
        """Begin to renew."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing; the lease itself is given back by the move that ends the stretch, or lapses."""
        self._over.set()

    def check(self) -> None:
        """Raise `LeaseLost` unless the lease is surely ours: asked before each step and each write."""
        if self._taken_away or self._clock() - self._sure_at > self._numbers.lease_lost_s:
            raise LeaseLost

    def check_step(self) -> None:
        """Before a step: also raise `Stopping` when we are asked to park."""
        self.check()
        if self._stopping.is_set():
            raise Stopping

    def wait(self, seconds: float) -> None:
        """Wait in place, unless the lease goes or we are asked to stop."""
        if self._stopping.wait(seconds):
            raise Stopping
        self.check()

    def raise_fence(self, ledger: Ledger, seen: int) -> None:
        """Mint a fence above the one the target has seen; raises `LeaseLost`."""
        self.check()
        raised = ledger.leases.raise_fence(self.hold.lease, self.hold.token, seen)
        if raised is None:
            raise LeaseLost
        token, self.fence = raised
        self.hold = Hold(self.hold.id, self.hold.lease, token)
        log.warning("lease.fence_raised", rollback=self.hold.id, seen=seen, fence=self.fence)

    def _keep(self) -> None:
        keeper: Ledger | None = None
        while not self._over.wait(self._numbers.lease_renew_s) and not self._taken_away:
            keeper = keeper or self._keeper()
            self._renew(keeper)
        if keeper is not None:
            keeper.close()

    def _renew(self, keeper: Ledger) -> None:
        asked_at, hold = self._clock(), self.hold
        try:
            kept = keeper.leases.renew(hold.lease, hold.token, hold.id)
        except LedgerUnavailable as e:
            log.warning("lease.renewal_failed", rollback=hold.id, error=str(e))
            return
        if kept:
            self._sure_at = asked_at
        elif hold is self.hold and not self._over.is_set():
            self._taken_away = True
            log.warning("lease.lost", rollback=hold.id)
