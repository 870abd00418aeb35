"""What the rules in force would do for alerts now: instances found and looked at as for a real notification."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import RollbackError, Transient
from rules.explain import barred, decide, would_instances, written
from rules.instances import Instance
from rules.observations import Drop
from rules.rule import Rule
from rules.targets import with_besides
from workers.finding import Finder
from workers.peeking import Peek, peek
from workers.site import Site
from workers.terms import Terms

_BUDGET_S = 30
"""All looks for one question together; who asks does not wait for longer."""
_NOT_LOOKED_AT = (Reason.DEADLINE, f"not looked at: the {_BUDGET_S} s for all looks together were over")


def explain(site: Site, written_alerts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Answer for every alert with one decision per rule, in the shape of `rules explain`, each with its digest."""
    alerts = [Alert(**one) for one in written_alerts]
    with closing(site.find()) as finder:
        explaining = _Explaining(site, finder, alerts)
        return {"alerts": [explaining.about(alert) for alert in alerts]}


@dataclass(slots=True)
class _Explaining:
    site: Site
    finder: Finder
    alerts: Sequence[Alert]
    _until: float = field(default_factory=lambda: time.monotonic() + _BUDGET_S)
    _seen: dict[tuple[str, str], Peek | Drop] = field(default_factory=dict)
    """By rule and instance: how one is looked at is the rule's."""

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
        except Transient as e:
            return Decision(Outcome.HOLD, e.reason, str(e))
        if problem is not None:
            return problem
        looks = {one.instance.id: self._look(rule, one.instance) for one in located}
        seen = {ident: look for ident, look in looks.items() if isinstance(look, Peek)}
        bars = {ident: look for ident, look in looks.items() if not isinstance(look, Peek)}
        bars |= {ident: look.bar for ident, look in seen.items() if look.bar is not None and look.choice.chosen}
        facts = {ident: look.seen for ident, look in seen.items()}
        decision = would_instances(rule, alert, tuple(looks), facts, {})
        decision = barred(decision, bars)
        return replace(decision, detail=with_besides(decision.detail, located))

    def _look(self, rule: Rule, instance: Instance) -> Peek | Drop:
        known = (rule.digest, instance.id)
        if known not in self._seen:
            self._seen[known] = self._look_now(rule, instance)
        return self._seen[known]

    def _look_now(self, rule: Rule, instance: Instance) -> Peek | Drop:
        if time.monotonic() > self._until:
            return _NOT_LOOKED_AT
        try:
            return peek(self.site, instance, Terms.of_rule(rule, expects=None))
        except RollbackError as e:
            return e.reason, str(e)
