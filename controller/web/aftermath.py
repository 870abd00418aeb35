"""What followed where a rule only watched: whether the trouble ended without it, and what came meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from controller.ledger.records import iso

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.ledger.decisions import Remembered

_WATCHED = frozenset({"observe", "refuse", "hold"})
_INSTANCES_MOST = 20


def what_followed(ledger: Ledger, known: Remembered, rule: dict[str, Any]) -> dict[str, Any] | None:
    """Tell how an episode went on after a decision that changed nothing; None where something was done.

    `ended_at` is None while it fires. `arrivals` are the releases that came to the instances concerned before it
    ended: what ends with another release did not end by itself.
    """
    decision, episode = rule["decision"], known.episode
    if not decision or decision.get("outcome") not in _WATCHED or rule["at"] is None:
        return None
    at_ms = datetime.fromisoformat(rule["at"]).timestamp() * 1000
    arrivals = [
        {
            "instance": instance,
            "release": past.release,
            "at": iso(past.arrival.by_ms),
            "by": str(past.arrival.hand),
            "who": past.arrival.who,
        }
        for instance in list(decision.get("instances") or ())[:_INSTANCES_MOST]
        for past in ledger.roster.arrivals(instance)
        if at_ms < past.arrival.by_ms <= (episode.closed_ms or past.arrival.by_ms)
    ]
    after_s = None if episode.closed_ms is None else max(0.0, (episode.closed_ms - at_ms) / 1000)
    return {"ended_at": iso(episode.closed_ms), "after_s": after_s, "arrivals": arrivals}
