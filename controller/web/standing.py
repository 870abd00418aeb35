"""What persons and rollbacks have left standing: pauses, locks, demoted rules, loop-breakers, what differs.

An instance differs from what its deployer wants while what runs there was brought by our own hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.ledger.records import iso
from rules.facts import Hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger, Rollback
    from rules.facts import Demotion, Lock, Pause

_LOOKED_BACK = 500
_MOST_SHOWN = 100


def standing_shown(ledger: Ledger) -> dict[str, Any]:
    """Show all of it."""
    return {
        "paused": pauses_shown(ledger),
        "locked": locks_shown(ledger),
        "suspended": suspensions_shown(ledger),
        "demoted": demotions_shown(ledger),
        "breakers": breakers_shown(ledger),
        "undelivered": [waiting.public() for waiting in ledger.outbox.waiting(_MOST_SHOWN)],
        "differs": list(_differing(ledger)),
    }


def pauses_shown(ledger: Ledger) -> list[dict[str, Any]]:
    """Show the pauses that stand."""
    return [pause_shown(pause) for pause in ledger.hands.pauses()]


def pause_shown(pause: Pause) -> dict[str, Any]:
    """Show one pause; an empty scope is everything."""
    return {"scope": pause.scope, "by": pause.by, "why": pause.why, "until": iso(pause.until_ms)}


def locks_shown(ledger: Ledger) -> list[dict[str, Any]]:
    """Show the locks that stand."""
    return [lock_shown(service, lock) for service, lock in ledger.hands.locks().items()]


def lock_shown(service: str, lock: Lock) -> dict[str, Any]:
    """Show one lock, without its token."""
    return {"service": service, "by": lock.by, "why": lock.why, "until": iso(lock.until_ms)}


def suspensions_shown(ledger: Ledger) -> list[dict[str, Any]]:
    """Show the GitOps owners that rollbacks have paused."""
    return [one.public() for one in ledger.suspensions.list()]


def demotions_shown(ledger: Ledger) -> list[dict[str, Any]]:
    """Show the rules that may only ask."""
    return [_demotion_shown(rule, found) for rule, found in ledger.hands.demotions().items()]


def breakers_shown(ledger: Ledger) -> list[dict[str, Any]]:
    """Show the services whose loop-breaker is open."""
    return [
        {"service": service, "why": found.why, "at": iso(found.at_ms), "rollbacks": list(found.rollbacks)}
        for service, found in ledger.hands.breakers().items()
    ]


def _demotion_shown(rule: str, found: Demotion) -> dict[str, Any]:
    return {"rule": rule, "why": found.why, "at": iso(found.at_ms), "rollback": found.rollback}


def _differing(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Yield the instances whose present release our own hand brought, as the observer saw them last."""
    newest: dict[str, Rollback] = {}
    for rollback in ledger.rollbacks.list(_LOOKED_BACK):
        if rollback.changed_ms is not None:
            newest.setdefault(rollback.instance, rollback)
    for rollback in list(newest.values())[:_MOST_SHOWN]:
        seen = ledger.roster.get(rollback.instance)
        if seen is None or seen.arrival.hand in (Hand.DEPLOY, Hand.GUARD) or rollback.spec.get("undoes"):
            continue  # what an undo brought back is what the deployer wants
        if rollback.undone_as and rollback.from_release in seen.names:
            continue  # it was put back by the rollback itself
        yield {
            "instance": rollback.instance,
            "runs": seen.names[0] if seen.names else "",
            "wanted": rollback.from_release,
            "rollback": rollback.id,
            "since": iso(rollback.changed_ms),
        }
