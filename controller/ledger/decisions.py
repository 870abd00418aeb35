"""Decisions on the pairs of alert and rule that a notification asked about, and the audit of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.episodes import Episode
from controller.ledger.ids import new_id
from controller.ledger.keys import DECISIONS, key
from controller.ledger.records import DecisionSeen, iso
from rules.decisions import Decision, Outcome
from rules.judgement import shown

_JUDGED_MOST = 20
"""Instances of which a decision keeps everything that was asked; of the others it keeps what became of them."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One pair, decided.

    `instead` where its rule is unknown: that decision does not stand, a server that has the rule asks again when
    it hears the alert; and the rules of these digests are asked, unless the alert was put before them already.
    """

    fingerprint: str
    rule_digest: str
    rule: str
    decision: Decision
    instead: tuple[str, ...] | None = None

    def row(self) -> tuple[str, str, str, list[str], str, int, tuple[str, ...]]:
        """Return what the script takes."""
        body = {
            "rule": self.rule,
            "outcome": self.decision.outcome,
            "reason": self.decision.reason,
            "detail": self.decision.detail,
            "instances": dict(self.decision.instances),
        }
        judged = [shown(judgement) for judgement in self.decision.judgements[:_JUDGED_MOST]]
        whole = {**body, "judgements": judged} if judged else body
        matched = self.decision.outcome is not Outcome.NO_MATCH
        instances = sorted(self.decision.instances) if matched else []
        forgotten = int(self.instead is not None)
        return (
            *(self.fingerprint, self.rule_digest, _text(whole), instances, _text(body)),
            *(forgotten, self.instead or ()),
        )


@dataclass(frozen=True, slots=True)
class Remembered:
    """An alert's last episode: when we first heard of it, and the rollbacks that it led to or joined."""

    episode: Episode
    opened_ms: int
    rollbacks: tuple[str, ...]


def _text(body: object) -> str:
    return orjson.dumps(body).decode()


class Decisions:
    """Writes and reads decisions."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def record(self, notification: str, token: str, decided: Sequence[Decided]) -> int | None:
        """Write decisions and take their pairs off the notification.

        Returns how many pairs are left; with none the notification and its lease are gone. None means the
        lease is lost.
        """
        rows = orjson.dumps([d.row() for d in decided]).decode()
        left = int(self._scripts.run("decide", notification, token, rows, new_id("n")))
        return None if left < 0 else left

    def list(
        self, limit: int = 100, *, fingerprint: str | None = None, since_ms: int = 0
    ) -> tuple[DecisionSeen, ...]:
        """Read the newest decisions, newest first; the ledger keeps about the last 20,000."""
        found: list[DecisionSeen] = []
        newest = "+"
        while len(found) < limit:
            with translated():
                entries = self._client.xrevrange(DECISIONS, max=newest, min=since_ms, count=500)
            for ident, fields in entries:
                if fingerprint in (None, fields["fingerprint"]) and len(found) < limit:
                    found.append(_seen(ident, fields))
            if len(entries) < 500:
                break
            newest = f"({entries[-1][0]}"
        return tuple(found)

    def whole(self, fingerprint: str) -> dict[str, dict[str, Any]]:
        """Return what was last decided about an alert, by rule digest, with everything that was asked."""
        with translated():
            raw = self._client.hgetall(key("episode", fingerprint))
        decided = {name.partition(":")[2]: text for name, text in raw.items() if name.startswith("rule:") and text}
        return {digest: orjson.loads(text) for digest, text in decided.items()}

    def remembered(self, fingerprint: str) -> Remembered | None:
        """Return what is remembered of an alert's last episode; None where it is forgotten, or met no rule."""
        with translated():
            raw = self._client.hgetall(key("episode", fingerprint))
        if not raw.get("labels"):
            return None
        opened_ms = int(raw.get("opened") or raw.get("first") or 0)
        rollbacks = tuple((raw.get("rollbacks") or "").split())
        return Remembered(Episode.of(fingerprint, raw), opened_ms, rollbacks)

    def labels(self, fingerprints: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the labels of alerts that are remembered, by fingerprint."""
        names = sorted(fingerprints)
        with translated(), self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(key("episode", name), "labels")
            found = pipe.execute()
        return {name: orjson.loads(text) for name, text in zip(names, found, strict=True) if text}


def _seen(ident: str, fields: dict[str, str]) -> DecisionSeen:
    at_ms = int(ident.split("-", 1)[0])
    return DecisionSeen(
        iso(at_ms) or "", fields["fingerprint"], fields["rule_digest"], orjson.loads(fields["decision"])
    )
