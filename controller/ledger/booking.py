"""The book: everything that guards count, read as of one version; and what else fires, and campaigns.

What was read holds only as long as the version does: `commit` compares it, and a guard is asked again otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, pairs, redis_now_ms, translated
from controller.ledger.keys import key
from controller.ledger.rollbacks import Hold, LeaseLost
from rules.alerts import Alert
from rules.facts import (
    Book,
    Breaker,
    Campaign,
    CampaignStart,
    Demotion,
    Fact,
    LastChange,
    Lock,
    Member,
    MemberState,
    OtherAlert,
    Pause,
)
from rules.instances import WorkloadInstance, read_instance

LEDGER = "ledger"
OTHERS_MOST = 500
"""Of more open alerts than these, nobody may count on the absence of one."""
_BEGUN = frozenset({"acting", "parked", "verifying", "undoing"})


@dataclass(frozen=True, slots=True)
class Booked:
    """What one look into the book told. `active` are the campaigns that are changing things right now."""

    book: Book
    campaign: Campaign
    lock: Fact[Lock] | None
    active: frozenset[str]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """An open alert, and what was decided about it under the rule that is interested in it."""

    other: OtherAlert
    decided: Mapping[str, Any]


class Booking:
    """Reads the book, and enlists rollbacks in campaigns."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def read(self, campaign: str, service: str, without: str = "") -> Booked:
        """Read everything that guards count, with one campaign and the lock of one service.

        `without` is a rollback whose own commit does not count: nothing was changed under it.
        """
        version, now, starts, pauses, lock, demoted, storm, members, active, begun, breakers = self._scripts.run(
            "book", campaign, service, without
        )
        own = campaign if begun else ""
        now_ms = int(now)
        book = Book(
            version=version,
            starts=tuple(_start(line, at, campaign, own) for line, at in pairs(starts).items()),
            pauses=tuple(
                pause
                for scope, text in pairs(pauses).items()
                if (pause := _pause(scope, text, now_ms)) is not None
            ),
            demoted={rule: _demotion(text) for rule, text in pairs(demoted).items()},
            storm={service: int(at) for service, at in pairs(storm).items()},
            breakers={service: breaker(text) for service, text in pairs(breakers).items()},
            at_ms=now_ms,
        )
        return Booked(
            book,
            Campaign(campaign, tuple(_member(*member) for member in members)),
            _lock(lock, now_ms),
            frozenset(active),
            now_ms,
        )

    def now_ms(self) -> int:
        """Return Redis' time."""
        return redis_now_ms(self._client)

    def enlist(self, hold: Hold, campaign: str, what: Mapping[str, str]) -> None:
        """Make a rollback one of a campaign's; raises `LeaseLost`."""
        meta = orjson.dumps(dict(what)).decode()
        if self._scripts.run("enlist", campaign, hold.id, hold.lease, hold.token, meta) != "ok":
            raise LeaseLost

    def others(self, rule_digest: str) -> tuple[Heard, ...]:
        """Return the open alerts that a rule is interested in; of more than `OTHERS_MOST`, one more than that."""
        return tuple(_heard(*row) for row in self._scripts.run("others", rule_digest, OTHERS_MOST))

    def last_change(self, instance: str, without: str = "") -> Fact[LastChange] | None:
        """Return when a rule last rolled an instance back; None where none did.

        `without` is a rollback whose own commit does not count: then what was so before it.
        """
        with translated():
            raw = self._client.hgetall(key("changed", instance))
            if without and raw.get("rollback") == without:
                before = self._client.hget(key("rollback", without), "changed_before")
                raw = pairs(orjson.loads(before or "[]"))
        if not raw:
            return None
        at_ms = int(raw["at"])
        return Fact(LastChange(at_ms, raw.get("rollback", ""), raw.get("campaign", "")), LEDGER, at_ms)


def start_line(campaign: str, rule: str, service: str) -> str:
    """Write down that a campaign began; names of rules hold no space."""
    return f"{campaign} {rule or '-'} {service}"


def _start(line: str, at: str, asked: str, own: str) -> CampaignStart:
    """Read one beginning; that of an earlier run of the campaign asked about counts, and is not its own."""
    campaign, rule, service = [*line.split(" ", 2), "", ""][:3]
    named = f"{campaign}~" if campaign == asked != own else campaign
    return CampaignStart(named, "" if rule == "-" else rule, service, int(float(at)))


def _pause(scope: str, text: str, now_ms: int) -> Pause | None:
    told = orjson.loads(text)
    until_ms = told.get("until_ms")
    if until_ms is not None and until_ms <= now_ms:
        return None
    return Pause(scope, told.get("by", ""), told.get("why", ""), until_ms)


def _demotion(text: str) -> Demotion:
    told = orjson.loads(text)
    return Demotion(told.get("why", ""), int(told.get("at_ms") or 0), told.get("rollback", ""))


def breaker(text: str) -> Breaker:
    """Read a loop-breaker that is open, as `move` writes it."""
    told = orjson.loads(text)
    return Breaker(told.get("why", ""), int(told["open_since"]), tuple(told.get("rollbacks") or ()))


def _lock(text: str, now_ms: int) -> Fact[Lock] | None:
    told = orjson.loads(text) if text else None
    if told is None or (told.get("until_ms") is not None and told["until_ms"] <= now_ms):
        return None
    return Fact(Lock(told.get("by", ""), told.get("why", ""), told.get("until_ms")), LEDGER, now_ms)


def _member(rollback: str, instance: str, state: str, outcome: str, changed: str, earlier: str) -> Member:
    cluster = ""
    try:
        read = read_instance(instance)
        cluster = read.cluster if isinstance(read, WorkloadInstance) else ""
    except ValueError:
        pass
    return Member(instance, _member_state(state, outcome, changed), cluster, rollback, earlier=bool(earlier))


def _member_state(state: str, outcome: str, changed: str) -> MemberState:
    if state in _BEGUN:
        return MemberState.STARTED
    if state == "held":
        return MemberState.NOT_RECOVERED
    if state != "ended":
        return MemberState.WAITING
    if outcome == "recovered":
        return MemberState.RECOVERED
    return MemberState.NOT_RECOVERED if changed == "1" else MemberState.LEFT


def _heard(fingerprint: str, first: str, heard: str, labels: str, annotations: str, decision: str) -> Heard:
    alert = Alert(
        fingerprint=fingerprint,
        status="firing",
        labels=orjson.loads(labels),
        annotations=orjson.loads(annotations),
        starts_at_ms=int(first or 0),
    )
    decided = orjson.loads(decision) if decision else {}
    instances = tuple(decided.get("instances") or ()) or None
    other = OtherAlert(alert, instances, since_ms=int(first or 0), heard_ms=int(heard or 0))
    return Heard(other, decided)
