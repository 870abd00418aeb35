"""The one way in for an alert: which rules it meets, as the ledger takes it.

Whoever learns of an alert uses it: the receiver, who is told by Alertmanager, and the relearner, who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from controller.ledger.hearing import HeardAlert
from rules.storms import service_words

if TYPE_CHECKING:
    from rules.alerts import Alert
    from rules.rulefile import RuleSet
    from rules.services import Inventory


def heard_of(alert: Alert, rules: RuleSet, inventory: Inventory) -> HeardAlert:
    """Prepare one alert for `Ledger.hear`: the rules it meets, and the services it seems to be about.

    For the storm brake, rules that only observe count as well. A resolved alert meets no rule: its episode may be
    open because of earlier ones.
    """
    matched = rules.match(alert.labels) if alert.firing else ()
    interested = rules.of_interest(alert.labels) if alert.firing else ()
    services = {service for rule in matched for service in service_words(rule, alert, inventory)}
    digests = tuple(rule.digest for rule in matched)
    return HeardAlert(
        fingerprint=alert.fingerprint,
        firing=alert.firing,
        starts_at_ms=alert.starts_at_ms,
        labels_json=_json(alert.labels),
        annotations_json=_json(alert.annotations),
        rule_digests=digests,
        other_digests=tuple(rule.digest for rule in interested if rule.digest not in digests),
        services=tuple(sorted(services)),
    )


def _json(texts: object) -> str:
    return orjson.dumps(texts, option=orjson.OPT_SORT_KEYS).decode()
