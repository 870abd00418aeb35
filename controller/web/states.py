"""How what is known is shown: the status of the whole, and decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from controller.ledger import State
from controller.web.standing import standing_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.ledger import Ledger, Swept
    from controller.ledger.records import DecisionSeen
    from controller.settings.house import House

_UNFINISHED = tuple(state for state in State if state is not State.ENDED)
_MOST_SHOWN = 100


def decisions_shown(ledger: Ledger, decisions: Sequence[DecisionSeen]) -> list[dict[str, Any]]:
    """Show decisions as the API does, each with the labels of its alert as far as they are remembered."""
    labels = ledger.decisions.labels({seen.fingerprint for seen in decisions})
    return [
        {
            "at": seen.at,
            "fingerprint": seen.fingerprint,
            "labels": labels.get(seen.fingerprint, {}),
            "rule_digest": seen.rule_digest,
            **seen.decision,
        }
        for seen in decisions
    ]


def status_shown(ledger: Ledger, house: House) -> dict[str, Any]:
    """Show what is going on: rules, hosts and clusters, what waits, what is wrong, what persons left."""
    counts = ledger.counts()
    reading = house.reading
    loaded_at = datetime.fromtimestamp(reading.loaded_at, UTC).isoformat(timespec="milliseconds")
    return {
        "rules": {
            "names": [rule.name for rule in reading.rules.rules],
            "loaded_at": loaded_at.replace("+00:00", "Z"),
            "errors": [str(error) for error in house.errors],
        },
        "services": {
            name: [host.name for host in service.hosts] for name, service in reading.inventory.services.items()
        },
        "clusters": [_cluster_shown(swept) for swept in ledger.sightings.sweeps()],
        "complaints": [
            *ledger.health.complaints(),
            *ledger.health.silence(),
            *ledger.spreading.complaints(),
            *ledger.health.left_alone(),
            *ledger.sightings.not_seen(),
            *ledger.relearned.complaints(),
        ],
        "due": counts.due,
        "due_lag_s": counts.lag_s,
        "queued": counts.queued,
        "unfinished": dict(counts.unfinished),
        "ended": [
            {"outcome": outcome, "reason": reason, "count": count}
            for (outcome, reason), count in sorted(counts.ended.items())
        ],
        "rollbacks": [r.public() for r in ledger.rollbacks.list(_MOST_SHOWN, states=_UNFINISHED)],
        **standing_shown(ledger),
    }


def _cluster_shown(swept: Swept) -> dict[str, Any]:
    return {
        "name": swept.cluster,
        "seen_s_ago": swept.age_s,
        "workloads": swept.workloads,
        "moving": [{"instance": instance, "images": list(images)} for instance, images in swept.moving.items()],
        "moving_in_all": swept.moving_in_all,
        "trouble": swept.trouble,
        "trouble_s_ago": swept.trouble_age_s,
    }
