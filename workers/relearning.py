"""The relearner: asks Alertmanager what fires, and hears what no notification brought.

One on each worker machine where `alertmanager` is configured, as its own process: an Alertmanager that hangs holds
up nobody. A claim in the ledger lets one of them ask at a time. It may be killed at any moment: the next look
begins anew, and what it learns goes through the same script as a notification.

An episode is closed for want of its alert only on the word of an Alertmanager that has run for a while, has our
receiver, listed this very episode before, lacks nothing that we were told of meanwhile, and does not list the
alert under another receiver either.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from controller.ledger import Heard, HeardAlert, Ledger, LedgerUnavailable, connect
from controller.ledger.intake import heard_of
from rules.errors import RollbackError
from workers.absence import Memory, Taught
from workers.monitoring.alertmanager import Alertmanager

if TYPE_CHECKING:
    from controller.ledger.relearned import Unresolved
    from controller.settings.house import House
    from controller.settings.monitoring import AlertmanagerSettings
    from controller.settings.numbers import Numbers
    from controller.settings.settings import Settings
    from rules.alerts import Alert
    from workers.monitoring.standing import Standing
    from workers.stopping import Stopping

log = structlog.get_logger(__name__)

_CLAIMED_FOR = 1.5
"""Of the interval: whoever asked last asks again, and where it does not, another has the turn after."""
_NAMED_MOST = 10
_RECEIVER = "relearned"
"""What stands in place of a receiver's name where a notification was none."""


@dataclass(slots=True)
class Relearner:
    """Learns again and again. `connect` builds the client of one look; `name` is this machine's."""

    ledger: Ledger
    house: House
    connect: Callable[[], Alertmanager]
    numbers: Numbers
    name: str
    _memory: Memory = field(init=False)
    _trouble: str = ""

    def __post_init__(self) -> None:
        self._memory = Memory(self.numbers.start_drift_s, self.numbers.relearn_absent_s)

    def run(self, stopping: Stopping) -> None:
        """Ask at every interval until asked to stop; Alertmanager and Redis being away are waited out."""
        while True:
            self.look()
            if stopping.wait(self.numbers.relearn_every_s):
                return

    def look(self) -> None:
        """Ask once, unless another machine does."""
        every_s = self.numbers.relearn_every_s
        try:
            if not self.ledger.relearned.claim(self.name, every_s * _CLAIMED_FOR):
                self._memory.forget()
                return
            try:
                with closing(self.connect()) as alertmanager:
                    self._learn(alertmanager)
            except LedgerUnavailable:
                raise
            except RollbackError as e:
                self._memory.doubt()
                self.ledger.relearned.troubled(every_s, str(e))
                self._say(e.reason, str(e))
            else:
                self._say("", "")
        except LedgerUnavailable as e:
            self._memory.doubt()
            self._say(e.reason, str(e))

    def _learn(self, alertmanager: Alertmanager) -> None:
        now_ms, unresolved = self.ledger.relearned.unresolved()
        standing = alertmanager.standing()
        alertmanager.knows_us()
        listed = alertmanager.listed()
        taught = self._memory.teach(listed, unresolved, may_keep_back=standing.keeps_back)
        learned = self._hear(taught, unresolved)
        self._mark(taught, unresolved, now_ms)
        closed = self._close(alertmanager, standing, taught, now_ms)
        self.ledger.relearned.managed(
            self.numbers.relearn_every_s, alerts=len(listed), learned=learned, closed=closed
        )

    def _hear(self, taught: Taught, unresolved: dict[str, Unresolved]) -> int:
        """Put what fires through the intake, all of it at once: a storm is one here as well."""
        self.house.refresh()
        reading = self.house.reading
        heard = [heard_of(alert, reading.rules, reading.inventory) for alert in taught.heard]
        kept = [unasked(heard_of(alert, reading.rules, reading.inventory)) for alert in taught.kept]
        if not heard and not kept:
            return 0
        self.ledger.hear(Heard.of([*heard, *kept], receiver=_RECEIVER))
        new = [
            one for one in heard if one.fingerprint not in unresolved and (one.rule_digests or one.other_digests)
        ]
        if new:
            log.info("relearner.learned", alerts=len(new), fingerprints=_some(one.fingerprint for one in new))
        return len(new)

    def _mark(self, taught: Taught, unresolved: dict[str, Unresolved], now_ms: int) -> None:
        """Note of open episodes that Alertmanager lists them, and that nothing is cut off where it is so."""
        names = [
            name
            for name in taught.listed
            if (one := unresolved.get(name)) and (not one.listed or (one.truncated and taught.whole))
        ]
        self.ledger.relearned.listed(names, now_ms if taught.whole else 0)

    def _close(self, alertmanager: Alertmanager, standing: Standing, taught: Taught, now_ms: int) -> int:
        if not self._settled(standing):
            self._memory.doubt()
            return 0
        over = self._memory.over(taught.lacking, now_ms)
        if not over:
            return 0
        fires = {one.alert.fingerprint: one.alert for one in alertmanager.listed(everyones=True)}
        if alertmanager.standing().started != standing.started:
            self._memory.doubt()
            return 0
        gone = [one for one in over if not self._fires(fires.get(one.fingerprint), one)]
        if not gone:
            return 0
        closed = self.ledger.hear(Heard.of([resolve_of(one) for one in gone], receiver=_RECEIVER)).closed
        log.info("relearner.closed", episodes=closed, fingerprints=_some(one.fingerprint for one in gone))
        return closed

    def _settled(self, standing: Standing) -> bool:
        return standing.in_order and standing.up_s >= self.numbers.relearn_settled_s

    def _fires(self, alert: Alert | None, one: Unresolved) -> bool:
        return alert is not None and self._memory.same(alert, one)

    def _say(self, kind: str, trouble: str) -> None:
        """Log what changed, and nothing that was said already."""
        before, self._trouble = self._trouble, kind
        if kind and kind != before:
            log.warning("relearner.not_told", error=trouble)
        elif before and not kind:
            log.info("relearner.told_again")


def unasked(heard: HeardAlert) -> HeardAlert:
    """Return an alert that keeps its episode open, and puts no rule to work that has not been asked before."""
    return HeardAlert(
        fingerprint=heard.fingerprint,
        firing=True,
        starts_at_ms=heard.starts_at_ms,
        labels_json=heard.labels_json,
        annotations_json=heard.annotations_json,
        rule_digests=(),
        other_digests=(*heard.rule_digests, *heard.other_digests),
    )


def resolve_of(one: Unresolved) -> HeardAlert:
    """Return the resolve that no notification brought; it is of this episode as it was seen, and of no other."""
    return HeardAlert(
        fingerprint=one.fingerprint,
        firing=False,
        starts_at_ms=one.first_ms,
        labels_json="{}",
        annotations_json="{}",
        rule_digests=(),
        as_seen_ms=(one.first_ms, one.heard_ms),
    )


def relearner_of(settings: Settings, house: House, alertmanager: AlertmanagerSettings) -> Relearner:
    """Build the relearner of this machine; connects to nothing yet."""
    ledger = connect(settings.redis, settings.numbers, "worker")
    name = f"{socket.gethostname()}:{os.getppid()}"
    return Relearner(ledger, house, partial(Alertmanager, alertmanager), settings.numbers, name)


def _some(fingerprints: Iterable[str]) -> Sequence[str]:
    return sorted(fingerprints)[:_NAMED_MOST]
