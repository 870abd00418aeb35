"""A person's hand: rules paused, services locked by whoever deploys, rules demoted; and the audit of all of it.

The loop-breaker of a service opens by itself, and ends by a person's hand only.

Pauses and locks end by themselves, by Redis' clock; one whose time is over is not there. Every change raises the
book's version, so that a rollback whose guards were asked before it asks them again before its first change.
What only waited for a pause, a lock or a demotion is judged anew as soon as that is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from controller.ledger.booking import breaker
from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.keys import BREAKERS, DEEDS, DEMOTED, LOCKS, PAUSES
from controller.ledger.records import iso
from rules.decisions import Reason
from rules.errors import Permanent
from rules.facts import Breaker, Demotion, Lock, Pause


class LockHeld(Permanent):
    """Somebody else holds the service; `lock` says who, and until when at the most unless it is renewed."""

    def __init__(self, service: str, lock: Lock) -> None:
        why = f" ({lock.why})" if lock.why else ""
        super().__init__(
            Reason.DEPLOY_LOCKED, f"{service} is locked by {lock.by}{why} until {iso(lock.until_ms)}, or longer"
        )
        self.service = service
        self.lock = lock


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did: to what, and why they say they did it."""

    at: str
    by: str
    what: str
    about: str
    why: str


class Hands:
    """Pauses, locks, demotes, and takes each of them back. Where a reply was lost, asking again does no harm."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def pause(self, scope: str, by: str, why: str, for_s: float | None) -> Pause:
        """Stop rules, in place of what was said for this scope before; without `for_s` until it is resumed.

        The scope is empty for every rule, else `service NAME` or `rule NAME`.
        """
        _, until = self._do("pause", scope=scope, by=by, why=why, for_ms=_ms(for_s))
        return Pause(scope, by, why, int(until) if until else None)

    def resume(self, scope: str, by: str, why: str = "") -> bool:
        """End a pause and wake what waits; False where nothing was paused in this scope."""
        return self._did("resume", scope=scope, by=by, why=why)

    def pauses(self) -> tuple[Pause, ...]:
        """Return the pauses that stand, that of everything first."""
        found = self._standing(PAUSES)
        return tuple(
            Pause(scope, found[scope]["by"], found[scope]["why"], found[scope]["until_ms"])
            for scope in sorted(found)
        )

    def lock(self, service: str, by: str, why: str, ttl_s: float) -> str:
        """Hold a service for so long, and return the token that renews and releases it; raises `LockHeld`."""
        token = secrets.token_hex(16)
        done, *told = self._do("lock", service=service, by=by, why=why, token=token, for_ms=_ms(ttl_s))
        if not done:
            holder, their_why, until = told
            raise LockHeld(service, Lock(holder, their_why, int(until)))
        return token

    def renew(self, service: str, token: str, ttl_s: float) -> bool:
        """Hold it for so long from now; False means it ended or was taken away, and others may have begun."""
        return self._did("renew", service=service, token=token, for_ms=_ms(ttl_s))

    def unlock(self, service: str, token: str) -> bool:
        """Release what this token holds and wake what waits; False where it holds nothing any more."""
        return self._did("unlock", service=service, token=token)

    def break_lock(self, service: str, by: str, why: str = "") -> str | None:
        """Take a lock away from whoever holds it, and return their name; None where nobody does."""
        done, *holder = self._do("unlock", service=service, force=True, by=by, why=why)
        return holder[0] if done else None

    def locks(self) -> Mapping[str, Lock]:
        """Return the locks that stand, by service; never their tokens."""
        found = sorted(self._standing(LOCKS).items())
        return {name: Lock(entry["by"], entry["why"], entry["until_ms"]) for name, entry in found}

    def demote(self, rule: str, why: str, rollback: str, by: str = "") -> None:
        """Let a rule only ask from now on; `by` is the person who says so, if one does."""
        self._do("demote", rule=rule, why=why, rollback=rollback, by=by or f"rollback {rollback}")

    def promote(self, rule: str, by: str, why: str = "") -> bool:
        """Let a rule do again what its file says, and wake what waits; False where it was not demoted."""
        return self._did("promote", rule=rule, by=by, why=why)

    def demotions(self) -> Mapping[str, Demotion]:
        """Return the rules that may only ask, by name."""
        found = sorted(self._standing(DEMOTED).items())
        return {name: Demotion(entry["why"], entry["at_ms"], entry["rollback"]) for name, entry in found}

    def breakers(self) -> Mapping[str, Breaker]:
        """Return the loop-breakers that are open, by service."""
        with translated():
            counted = sorted(self._client.hgetall(BREAKERS).items())
        return {service: breaker(text) for service, text in counted if orjson.loads(text).get("open_since")}

    def close_breaker(self, service: str, by: str, why: str = "") -> bool:
        """Let rules act on a service again, and wake what waits; False where its loop-breaker is not open."""
        return self._did("close", service=service, by=by, why=why)

    def note(self, by: str, what: str, about: str, why: str = "") -> None:
        """Add to the audit what a person did that is recorded nowhere else by name."""
        self._do("note", by=by, what=what, about=about, why=why)

    def deeds(self, limit: int = 100) -> tuple[Deed, ...]:
        """Read what persons did, the newest first; about the last 5,000 are kept."""
        with translated():
            entries = self._client.xrevrange(DEEDS, count=limit)
        return tuple(Deed(iso(int(ident.split("-", 1)[0])) or "", **fields) for ident, fields in entries)

    def _do(self, verb: str, **asked: Any) -> list[Any]:
        answer: list[Any] = self._scripts.run("hand", verb, orjson.dumps(asked))
        return answer

    def _did(self, verb: str, **asked: Any) -> bool:
        return bool(self._do(verb, **asked)[0])

    def _standing(self, where: str) -> dict[str, Any]:
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(where)
            (seconds, micros), kept = pipe.execute()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        found = {name: orjson.loads(text) for name, text in kept.items()}
        return {name: entry for name, entry in found.items() if (entry.get("until_ms") or now_ms + 1) > now_ms}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
