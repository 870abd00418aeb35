"""What the ledger remembers, as values. Times are milliseconds since the epoch by Redis' clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from rules.workloads.disclosure import plan_shown

FORMAT = 1
"""The format of a rollback's record, plan and journal. Raised when a worker of the version before must not go on
with what this one writes: a limit that it would ignore, a state or a kind of step that it does not know.
"""


class State(StrEnum):
    """Where a rollback is. docs/reference/protocol.md draws the moves between them."""

    PLANNED = "planned"
    WAITING = "waiting"
    ACTING = "acting"
    PARKED = "parked"
    VERIFYING = "verifying"
    UNDOING = "undoing"
    HELD = "held"
    ENDED = "ended"


class End(StrEnum):
    """How a rollback ended."""

    RECOVERED = "recovered"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    RESOLVED = "resolved"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewRollback:
    """What is known when a rollback is opened. `rule` is empty for a person's, `by` for a rule's.

    `spec` is what the worker needs and no rule file holds for a person's rollback: the `to` list, the limits.
    """

    instance: str
    service: str
    host: str
    episodes: tuple[str, ...] = ()
    rule: str = ""
    rule_digest: str = ""
    by: str = ""
    why: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """Return the fields of the new record."""
        return {
            "service": self.service,
            "host": self.host,
            "rule": self.rule,
            "rule_digest": self.rule_digest,
            "by": self.by,
            "why": self.why,
            "spec": orjson.dumps(dict(self.spec), option=orjson.OPT_SORT_KEYS).decode(),
            "format": str(FORMAT),
        }


@dataclass(frozen=True, slots=True)
class Opened:
    """The rollback that an instance now has: a new one, or (`joined`) the unfinished one it had."""

    id: str
    joined: bool
    state: str
    rule_digest: str


@dataclass(frozen=True, slots=True)
class Rollback:
    """The record of one instance going back from one arrival."""

    id: str
    instance: str
    service: str
    host: str
    state: State
    rule: str = ""
    rule_digest: str = ""
    by: str = ""
    why: str = ""
    reason: str = ""
    detail: str = ""
    outcome: str = ""
    from_release: str = ""
    to_release: str = ""
    arrival: str = ""
    effect: str = ""
    our_arrival: str = ""
    seen_arrival: str = ""
    joined_after: str = ""
    plan: str = ""
    way_back: str = ""
    undone_as: str = ""
    """How it ends once the way back is taken: `failed` or `ineffective`."""
    opened_breaker: str = ""
    """Set where what it came to opened the loop-breaker of its service."""
    campaign: str = ""
    release: str = ""
    """The release it leaves, by the word that is the same on every instance of the service."""
    marked: str = ""
    """The word under which the release that it leaves is marked."""
    environment: str = ""
    approved: str = ""
    """The digest of the plan that a person approved."""
    approved_by: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What a person is asked: plan, from, to, until_ms, why."""
    held_ms: int | None = None
    """Since when a guard holds it back, without a break."""
    held_for: str = ""
    """The reason for which it is, or last was, held back."""
    waits_ms: int | None = None
    """Since when something is waited for that should come by itself, without a break."""
    journal_head: str = ""
    attempts: int = 0
    opened_ms: int = 0
    cleared_within_s: float | None = None
    """What `cleared-within: auto` came to; None while it is not known."""
    committed_ms: int | None = None
    acting_ms: int | None = None
    """Since when it may change its target: since its commit was last allowed with nothing changed yet."""
    changed_ms: int | None = None
    ended_ms: int | None = None
    episodes: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Mapping[str, str]) -> Rollback:
        """Read a record."""
        texts = [
            "id",
            "instance",
            "service",
            "host",
            "rule",
            "rule_digest",
            "by",
            "why",
            "reason",
            "detail",
            "outcome",
        ]
        texts += [
            "arrival",
            "our_arrival",
            "seen_arrival",
            "joined_after",
            "effect",
            "plan",
            "way_back",
            "undone_as",
            "opened_breaker",
            "campaign",
            "release",
            "marked",
            "environment",
            "approved",
            "approved_by",
            "held_for",
            "journal_head",
        ]
        return cls(
            **{name: raw.get(name, "") for name in texts},
            state=State(raw["state"]),
            from_release=raw.get("from", ""),
            to_release=raw.get("to", ""),
            attempts=int(raw.get("attempts") or 0),
            opened_ms=int(raw.get("opened_at") or 0),
            cleared_within_s=float(raw["cleared_within"]) if raw.get("cleared_within") else None,
            committed_ms=_ms(raw, "committed_at"),
            acting_ms=_ms(raw, "acting_since") or _ms(raw, "committed_at"),
            changed_ms=_ms(raw, "changed_at"),
            ended_ms=_ms(raw, "ended_at"),
            asked=orjson.loads(raw.get("asked") or "{}"),
            held_ms=_ms(raw, "held_since"),
            waits_ms=_ms(raw, "waits_since"),
            episodes=tuple((raw.get("episodes") or "").split()),
            spec=orjson.loads(raw.get("spec") or "{}"),
        )

    @property
    def asked_by(self) -> str:
        """Who wanted it, for people: a rule or a person."""
        return f"rule {self.rule}" if self.rule else self.by

    def public(self) -> dict[str, Any]:
        """Return what the API shows: times as ISO 8601 in UTC, the plan as data, without whole pod templates."""
        shown = {name: getattr(self, name) for name in _SHOWN}
        return {
            **shown,
            "state": str(self.state),
            "from": self.from_release,
            "to": self.to_release,
            "opened_at": iso(self.opened_ms),
            "committed_at": iso(self.committed_ms),
            "ended_at": iso(self.ended_ms),
            "episodes": list(self.episodes),
            "asked": asked_shown(self.asked) if self.asked else None,
            "held_since": iso(self.held_ms),
            "opened_breaker": bool(self.opened_breaker),
            "plan": plan_shown(orjson.loads(self.plan)) if self.plan else None,
        }


def asked_shown(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person is asked, with its end as a time for people."""
    return {**asked, "until": iso(asked.get("until_ms"))}


_SHOWN = [
    *("id", "instance", "service", "host", "rule", "by", "why", "reason", "detail", "outcome", "attempts"),
    *("campaign", "approved_by"),
]


def _ms(raw: Mapping[str, str], name: str) -> int | None:
    text = raw.get(name)
    return int(text) if text else None


def iso(at_ms: int | None) -> str | None:
    """Write a time as ISO 8601, in UTC, with milliseconds."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Counts:
    """What is waiting and what came of the rest, for metrics and status."""

    due: int
    lag_s: float
    queued: int
    unfinished: Mapping[str, int]
    ended: Mapping[tuple[str, str], int]
    """By (outcome, reason), since this ledger began."""


@dataclass(frozen=True, slots=True)
class DecisionSeen:
    """A decision as the audit keeps it."""

    at: str
    fingerprint: str
    rule_digest: str
    decision: Mapping[str, Any]
