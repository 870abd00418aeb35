"""What the rules in force would do for alerts now: instances are found and judged as for a real notification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from controller.ledger import Episode
from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import Transient
from rules.explain import decide, written
from rules.rule import Rule
from rules.targets import keep_running, with_besides
from rules.templates import LabelMissing
from workers.finding import Finder
from workers.looks import Looks
from workers.site import Site
from workers.terms import Terms

_BUDGET_S = 30
"""All looks for one question together; who asks does not wait for longer."""


def explain(site: Site, written_alerts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Answer for every alert with one decision per rule, in the shape of `rules explain`, each with its digest."""
    alerts = [Alert(**one) for one in written_alerts]
    with closing(site.find()) as finder, closing(Looks(site, lambda: None, _BUDGET_S)) as looks:
        explaining = _Explaining(site, finder, looks, alerts)
        return {"alerts": [explaining.about(alert) for alert in alerts]}


@dataclass(slots=True)
class _Explaining:
    site: Site
    finder: Finder
    looks: Looks
    alerts: Sequence[Alert]

    def about(self, alert: Alert) -> dict[str, Any]:
        house = self.site.house
        decided = decide(
            house.rules, house.inventory, alert, None, left={}, would=lambda rule: self._would(rule, alert)
        )
        return {
            "fingerprint": alert.fingerprint,
            "status": alert.status,
            "labels": dict(alert.labels),
            "decisions": [
                {"rule": rule.name, "rule_digest": rule.digest, **written(decision)} for rule, decision in decided
            ],
        }

    def _would(self, rule: Rule, alert: Alert) -> Decision:
        siblings = tuple(one for one in self.alerts if one is not alert)
        try:
            located, problem = self.finder.find(rule, alert, siblings)
            if problem is not None:
                return problem
            running = rule.target.running
            expects = None if running is None else running.expand(alert.labels, alert.annotations)
            terms = Terms.of_rule(rule, expects=expects)
            if expects is not None:
                names = self.looks.running((one.instance for one in located), terms)
                kept, problem = keep_running(rule, alert, names)
                if problem is not None:
                    return problem
                located = tuple(one for one in located if one.instance.id in kept)
            decision = self.looks.would(located, _episode(alert), rule, terms)
        except Transient as e:
            return Decision(Outcome.HOLD, e.reason, str(e))
        except LabelMissing as e:
            return Decision(Outcome.REFUSE, Reason.LABEL_MISSING, str(e))
        return replace(decision, detail=with_besides(decision.detail, located))


def _episode(alert: Alert) -> Episode:
    """Take an alert for an episode that has just been heard."""
    return Episode(alert.fingerprint, True, alert.starts_at_ms, alert.starts_at_ms, None, alert)  # noqa: FBT003
