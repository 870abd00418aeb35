"""Receives Alertmanager's notifications: authenticate, read, match each alert alone, make it durable, answer.

What an answer means to Alertmanager decides everything here. A 2xx ends the delivery, so it is given only once
the ledger has every alert that matched. A 5xx is repeated within a second, so it is what "later" looks like.
Any 4xx is not repeated for minutes, and then for ever: it is only for what can never succeed. There is no 429.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from controller.ledger import Answer, Heard
from controller.ledger.intake import heard_of
from controller.web.memos import Memo
from rules.notifications import BadAlert, BadBody, parse_notification

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.settings.house import House
    from controller.web.log_limits import LogLimit
    from controller.web.metrics import Metrics
    from rules.rulefile import RuleSet
    from rules.services import Inventory

log = structlog.get_logger(__name__)

_BYTES_PER_ALERT: Final = 700
"""What one prepared alert takes beside its text, which is kept twice (as items and encoded)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a body comes to under the rules in force, before the ledger is asked. A pure function of both."""

    heard: Heard
    matched: int
    ignored: int
    resolved: int
    bad: tuple[BadAlert, ...]
    bad_count: int


def prepare(body: bytes, rules: RuleSet, inventory: Inventory) -> Prepared:
    """Read `body` and match each alert alone; raises `BadBody`.

    Alerts that no rule matches and resolved ones are kept: an episode that is open because of earlier rules
    must still be closed by its resolve.
    """
    notification = parse_notification(body)
    if notification.bad and not notification.alerts:
        first = notification.bad[0]
        raise BadBody(f"alerts[{first.index}]", f"no alert of the body can be read; the first: {first.problem}")
    items = tuple(heard_of(alert, rules, inventory) for alert in notification.alerts)
    firing = [item for item in items if item.firing]
    matched = sum(1 for item in firing if item.rule_digests)
    return Prepared(
        heard=Heard.of(items, truncated=notification.truncated, receiver=notification.receiver),
        matched=matched,
        ignored=len(firing) - matched,
        resolved=len(items) - len(firing),
        bad=notification.bad,
        bad_count=notification.bad_count,
    )


class Receiver:
    """Turns bodies into answers. One for the process; used by all its threads."""

    def __init__(self, ledger: Ledger, house: House, metrics: Metrics, log_limit: LogLimit) -> None:
        self._ledger = ledger
        self._house = house
        self._metrics = metrics
        self._log_limit = log_limit
        self._memo: Memo[Prepared] = Memo()

    def receive(self, body: bytes, sender: str) -> tuple[int, dict[str, object]]:
        """Make everything in `body` durable and say so; raises `BadBody` and `LedgerUnavailable`.

        `sender` bounds the log lines about what is wrong with single alerts: it is not text of the body.
        """
        self._metrics.body_bytes.observe(len(body))
        prepared = self._prepared(body)
        answer = self._ledger.hear(prepared.heard)
        self._count(prepared, answer)
        self._report(prepared, sender)
        status = 202 if prepared.matched or answer.closed else 200
        return status, {
            "accepted": answer.recorded,
            "known": _known(prepared, answer),
            "ignored": prepared.ignored,
            "bad": [{"index": bad.index, "problem": bad.problem} for bad in prepared.bad],
        }

    def _prepared(self, body: bytes) -> Prepared:
        reading = self._house.reading
        rules = reading.rules
        key = self._memo.key(body)
        prepared = self._memo.get(key, rules)
        if prepared is None:
            prepared = prepare(body, rules, reading.inventory)
            cost_bytes = 2 * len(body) + _BYTES_PER_ALERT * len(prepared.heard.items)
            self._memo.put(key, rules, prepared, cost_bytes)
        return prepared

    def _count(self, prepared: Prepared, answer: Answer) -> None:
        for result, count in (
            ("accepted", answer.recorded),
            ("known", _known(prepared, answer)),
            ("ignored", prepared.ignored),
            ("bad", prepared.bad_count),
            ("straggler", answer.stragglers),
            ("resolved", prepared.resolved),
        ):
            if count:
                self._metrics.alerts.labels(result).inc(count)
        if prepared.heard.truncated:
            self._metrics.truncated.inc(prepared.heard.truncated)

    def _report(self, prepared: Prepared, sender: str) -> None:
        if prepared.bad and (held_back := self._log_limit.held_back("bad-alerts", sender)) is not None:
            log.warning(
                "notification.bad_alerts",
                sender=sender,
                count=prepared.bad_count,
                first=prepared.bad[0].problem,
                held_back=held_back,
            )
        cut_off = prepared.heard.truncated
        if cut_off and (held_back := self._log_limit.held_back("truncated", sender)) is not None:
            log.warning(
                "notification.truncated",
                sender=sender,
                cut_off=cut_off,
                fix="raise or remove max_alerts of this receiver: what was cut off is not seen here at all",
                held_back=held_back,
            )


def _known(prepared: Prepared, answer: Answer) -> int:
    # The ledger has nothing to remember of an alert without a rule and counts it as known.
    return max(answer.known - prepared.ignored, 0)
