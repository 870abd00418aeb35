"""What a rollback means beyond its instance: the release's mark, the rule's standing, and what people are told.

Each is written before the move that it belongs to, and may be written twice: whoever takes over writes the same,
and the outbox says a thing once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.ledger import End, Rollback
from controller.ledger.outbox import written
from rules.alerts import Alert
from rules.campaigns import members_of
from rules.decisions import Reason
from rules.facts import Member, MemberState
from rules.instances import read_instance
from rules.judgement import Judgement, shown
from rules.marks import Mark
from rules.telling import texts
from workers.gathering.storms import by_service
from workers.site import Site

_LIFTS = frozenset({End.INEFFECTIVE, End.FAILED})
"""Where the release was not shown to be the cause, its mark goes back to what it was."""
_UNDER_WAY = frozenset({MemberState.WAITING, MemberState.STARTED})
_STORM_SAID_EVERY_MS = 3_600_000
_ASKED_SAID_EVERY_MS = 1_800_000


class Consequences:
    """Writes them down for one rollback. `alert` is the first of those behind it, None for a person's."""

    def __init__(self, site: Site, alert: Alert | None) -> None:
        self._site = site
        self._ledger = site.ledger
        self._alert = alert

    def begun(self, rollback: Rollback, judgement: Judgement | None) -> None:
        """Mark the release that is left: from the commit on, nobody goes there until it is judged.

        What an undo leaves was never said to be bad.
        """
        if not rollback.spec.get("undoes"):
            label = read_instance(rollback.instance).label
            self._mark(rollback, Mark.SUSPECT, f"{rollback.asked_by} rolls {label} back from it")
        if rollback.rule:  # who takes over after the commit does not know the judgement, and tells all the same
            message = texts.started(self._about(rollback, judgement=shown(judgement) if judgement else {}))
            self._ledger.outbox.put(message, f"started:{rollback.campaign}:{_day(rollback)}")

    def ended(self, rollback: Rollback, outcome: End, detail: str) -> None:
        """Judge the release by what became of the rollback, and the rule by whether it helped; sum it up."""
        if outcome is End.RECOVERED and rollback.rule:
            label = read_instance(rollback.instance).label
            self._mark(rollback, Mark.KNOWN_BAD, f"going back from it on {label} ended the alert")
        if outcome in _LIFTS:
            self._ledger.catalogue.lift(rollback.service, rollback.id)
        if outcome is End.INEFFECTIVE and rollback.rule:
            self._demote(rollback)
        if rollback.rule or outcome is not End.RECOVERED:
            self._sum_up(rollback, outcome, detail)

    def closed(self, rollback: Rollback) -> None:
        """Sum a campaign up once nothing of it is under way: two that end together each saw the other at work.

        Asked after the end. The last that recovered names it, so that it is said once whoever looks.
        """
        if not rollback.campaign:
            return
        read = self._ledger.booking.read(rollback.campaign, rollback.service)
        members = members_of(read.campaign)
        recovered = [member.rollback for member in members if member.state is MemberState.RECOVERED]
        if not recovered or not all(member.state is MemberState.RECOVERED for member in members):
            return  # something is under way, or it was told that the campaign stopped
        told = tuple(self._ends(list(members)))
        about = self._about(rollback, instances=tuple(member.instance for member in told))
        self._ledger.outbox.put(texts.ended(about, told), _ended(recovered))

    def held(self, rollback: Rollback, reason: str, detail: str, judgement: Judgement | None = None) -> None:
        """Tell people, once for each campaign and reason, that something needs them."""
        now_ms = self._ledger.booking.now_ms()
        if reason == Reason.STORM:
            self._storm(rollback, detail, now_ms)
            return
        about = self._about(rollback, judgement=shown(judgement) if judgement else {})
        until_ms = judgement.until_ms if judgement else None
        message = texts.held(about, reason=reason, detail=detail, now_ms=now_ms, until_ms=until_ms)
        key = f"held:{rollback.campaign or rollback.id}:{_day(rollback)}:{reason}"
        if reason == Reason.CAMPAIGN_STOPPED:
            key = _stopped(rollback)
        self._ledger.outbox.put(message, key)

    def if_it_loops(self, rollback: Rollback) -> str:
        """Write down what people are told, should what this comes to open the loop-breaker of its service.

        `{why}` is filled in by the script that opens it. Nothing for a person's rollback, which is not counted.
        """
        if not rollback.rule:
            return ""
        channels = self._channels(rollback)
        return written(texts.looping(rollback.service, why="{why}", rollback=rollback.id, channels=channels))

    def asked(self, rollback: Rollback, judgement: Judgement, asked: Mapping[str, Any]) -> None:
        """Ask people to approve a plan."""
        now_ms = self._ledger.booking.now_ms()
        about = self._about(
            rollback,
            judgement=shown(judgement),
            from_release=str(asked["from"] or ""),
            to_release=str(asked["to"]),
            untouched=("every other instance of the service",),
        )
        message = texts.asked(about, detail=judgement.detail, now_ms=now_ms, until_ms=asked["until_ms"])
        half_hour = int(asked["until_ms"]) // _ASKED_SAID_EVERY_MS  # a question that a hold ended is asked anew
        self._ledger.outbox.put(message, f"asked:{rollback.id}:{asked['plan']}:{half_hour}")

    def _demote(self, rollback: Rollback) -> None:
        why = f"rollback {rollback.id} did not help: the alert went on"
        self._ledger.hands.demote(rollback.rule, why, rollback.id)
        message = texts.demoted(rollback.rule, why=why, rollback=rollback.id, channels=self._channels(rollback))
        self._ledger.outbox.put(message, f"demoted:{rollback.id}")

    def _sum_up(self, rollback: Rollback, outcome: End, detail: str) -> None:
        """Tell what came of the campaign, once with its last instance that is under way."""
        read = self._ledger.booking.read(rollback.campaign, rollback.service)
        everyone = members_of(read.campaign)
        others = [member for member in everyone if member.rollback != rollback.id]
        goes_on = outcome is End.RECOVERED and any(member.state in _UNDER_WAY for member in others)
        if goes_on:
            return
        members = [texts.Member(rollback.instance, outcome, detail), *self._ends(others)]
        about = self._about(rollback, instances=tuple(member.instance for member in members))
        stopped = bool(rollback.campaign) and outcome is not End.RECOVERED
        done = [m.rollback for m in everyone if m.rollback == rollback.id or m.state is MemberState.RECOVERED]
        key = _stopped(rollback) if stopped else _ended(done or [rollback.id])
        self._ledger.outbox.put(texts.ended(about, members), key)

    def _ends(self, members: list[Member]) -> Iterator[texts.Member]:
        for member in members:
            record = self._ledger.rollbacks.get(member.rollback)
            if record is not None and member.state is not MemberState.LEFT:
                yield texts.Member(member.instance, record.outcome or str(record.state), record.detail)

    def _storm(self, rollback: Rollback, detail: str, now_ms: int) -> None:
        counted = self._ledger.booking.read("", "").book.storm
        services = by_service(self._ledger, counted, rollback.instance, self._site.policy)
        message = texts.storm(services, detail=detail, channels=self._channels(rollback))
        self._ledger.outbox.put(message, f"storm:{now_ms // _STORM_SAID_EVERY_MS}")

    def _mark(self, rollback: Rollback, mark: Mark, why: str) -> None:
        if not rollback.marked:
            return
        self._ledger.catalogue.mark(
            rollback.service,
            rollback.marked,
            mark,
            by=f"rollback {rollback.id}",
            why=why,
            environment=rollback.environment,
            rollback=rollback.id,
        )

    def _about(self, rollback: Rollback, **more: Any) -> texts.About:
        words: dict[str, Any] = {
            "service": rollback.service,
            "rule": rollback.rule,
            "environment": rollback.environment,
            "instances": (rollback.instance,),
            "from_release": rollback.from_release,
            "to_release": rollback.to_release,
            "rollback": rollback.id,
            "campaign": rollback.campaign,
            "alert": self._alert.labels.get("alertname", "") if self._alert else "",
            "summary": self._alert.annotations.get("summary", "") if self._alert else "",
            "channels": self._channels(rollback),
        }
        return texts.About(**{**words, **more})

    def _channels(self, rollback: Rollback) -> tuple[str, ...]:
        rule = self._site.house.rules.by_digest(rollback.rule_digest) if rollback.rule_digest else None
        return rule.notify if rule is not None else ()


def _ended(recovered: Sequence[str]) -> str:
    """Name the end of a campaign by the last of those that recovered, in the order in which they joined."""
    return f"ended:{recovered[-1]}"


def _stopped(rollback: Rollback) -> str:
    """Name the one message about a campaign that stopped: what became of the one that stopped it, or who waits."""
    return f"stopped:{rollback.campaign}:{_day(rollback)}"


def _day(rollback: Rollback) -> int:
    """Tell one run of a campaign from the next: the same release may come back another day."""
    return rollback.opened_ms // 86_400_000
