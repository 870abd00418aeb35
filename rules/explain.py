"""What each rule would do for each alert, and why: the answer of `rules explain`, as plain data.

Every rule answers for every alert, the ones that do not match too. An instance belongs to the first rule, in
file order, that may act on it; observing rules never take one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rules.decisions import Decision, Outcome, Reason
from rules.foresight import Foresight, takes, without
from rules.instances import read_instance
from rules.judgement import shown
from rules.mismatch import mismatch
from rules.releases import NOTHING_TO_GO_BACK_TO
from rules.rule import Mode
from rules.unguarded import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rules.alerts import Alert
    from rules.observations import Observation
    from rules.rule import Rule
    from rules.ruleset import RuleSet
    from rules.services import Inventory
    from rules.world import World

    Facts = Mapping[str, Observation]


_HAS_ITS_RULE = NOTHING_TO_GO_BACK_TO | {Reason.ALLOWED, Reason.ASK_MODE}
_ABOUT_INSTANCES = frozenset({Outcome.ROLL_BACK, Outcome.ASK, Outcome.OBSERVE})


def explain(
    ruleset: RuleSet,
    inventory: Inventory,
    alerts: Iterable[Alert],
    facts: Facts | None = None,
    *,
    left: Mapping[str, frozenset[str]] | None = None,
    clusters: Sequence[str] | None = None,
    world: World | None = None,
) -> list[dict[str, Any]]:
    """Return one entry per alert, with one decision per rule in file order.

    With a `world` every guard is asked. Without one none is, and the detail says so: `facts` are then observations
    by instance id; without them `running` is not applied, and instances map to None. `left` names, by instance id,
    the releases an instance was just rolled back from. `clusters` are the configured ones; where they are not
    known, whatever is named is taken for one.
    """
    alerts = tuple(alerts)
    foresight = None if world is None else Foresight.of(ruleset, alerts, world)
    said: list[list[tuple[Rule, Decision]]] = []
    for at, alert in enumerate(alerts):
        would = None if foresight is None else partial(_foreseen, foresight, at)
        decided = decide(ruleset, inventory, alert, facts, left=left or {}, clusters=clusters, would=would)
        said.append(decided if would else [(rule, _provided(decision)) for rule, decision in decided])
    return [
        {
            "fingerprint": alert.fingerprint,
            "status": alert.status,
            "labels": dict(alert.labels),
            "decisions": [{"rule": rule.name, **written(decision)} for rule, decision in decided],
        }
        for alert, decided in zip(alerts, said, strict=True)
    ]


def _foreseen(foresight: Foresight, at: int, rule: Rule) -> Decision:
    return foresight.decisions[at, rule.name]


def _provided(decision: Decision) -> Decision:
    """Say that nothing was asked that might keep the rule back."""
    if decision.outcome not in _ABOUT_INSTANCES:
        return decision
    return replace(
        decision, detail=f"{decision.detail}; its guards were not asked: give what they need to know with --facts"
    )


def decide(
    ruleset: RuleSet,
    inventory: Inventory,
    alert: Alert,
    facts: Facts | None,
    *,
    left: Mapping[str, frozenset[str]],
    clusters: Sequence[str] | None = None,
    would: Callable[[Rule], Decision] | None = None,
) -> list[tuple[Rule, Decision]]:
    """Let every rule decide about one alert, in file order.

    `would` decides for one matching rule as if it were alone; without it that is done from what is given here.
    """
    matching = {rule.name for rule in ruleset.match(alert.labels)}
    taken: dict[str, str] = {}
    decisions: list[tuple[Rule, Decision]] = []
    for rule in ruleset.rules:
        if rule.name not in matching:
            decision = Decision(Outcome.NO_MATCH, Reason.NO_MATCH, mismatch(rule, alert.labels))
        elif not alert.firing:
            decision = Decision(
                Outcome.NO_MATCH, Reason.NOT_FIRING, "the alert is resolved; only a firing one acts"
            )
        else:
            decision = would(rule) if would else alone(rule, inventory, alert, facts, left=left, clusters=clusters)
            if decision.reason is Reason.OBSERVE_MODE and not decision.judgements:
                decision = replace(decision, detail=f"{decision.detail}; `mode: act` lets the rule do it")
            if rule.mode is not Mode.OBSERVE:
                decision = _without(taken, decision)
                taken.update(dict.fromkeys(_acted_on(decision), rule.name))
        decisions.append((rule, decision))
    return decisions


def _acted_on(decision: Decision) -> Iterable[str]:
    """Return the instances that now have their rule: those it rolls back, or holds for want of a release."""
    if decision.judgements:
        return takes(decision)
    return decision.instances if decision.reason in _HAS_ITS_RULE else ()


def _without(taken: Mapping[str, str], decision: Decision) -> Decision:
    """Take out what an earlier rule has."""
    gone = {instance: taken[instance] for instance in decision.instances if instance in taken}
    if not gone:
        return decision
    if decision.judgements:
        return without(gone, decision)
    others = ", ".join(f"{_label(instance)} belongs to rule {rule}" for instance, rule in gone.items())
    rest = {i: to for i, to in decision.instances.items() if i not in gone}
    if rest:
        return replace(decision, detail=f"{decision.detail}; but {others}, which comes first", instances=rest)
    detail = f"{others}, which comes first; put this rule before it if it should act"
    return Decision(Outcome.REFUSE, Reason.ANOTHER_RULE_FIRST, detail, dict.fromkeys(gone))


def _label(instance: str) -> str:
    return read_instance(instance).label


def written(decision: Decision) -> dict[str, Any]:
    """Return a decision as the answer of `rules explain` shows it."""
    return {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "detail": decision.detail,
        "instances": dict(decision.instances),
        "judgements": [shown(one) for one in decision.judgements],
    }
