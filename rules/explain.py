"""What each rule would do for each alert, and why: the answer of `rules explain`, as plain data.

Every rule answers for every alert, the ones that do not match too. An instance belongs to the first rule, in
file order, that may act on it; observing rules never take one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rules.decisions import Decision, Outcome, Reason
from rules.instances import WorkloadInstance, read_instance
from rules.mismatch import mismatch
from rules.releases import NOTHING_TO_GO_BACK_TO, choose
from rules.rule import Mode
from rules.targets import find_instances, keep_running
from rules.templates import LabelMissing
from rules.workloads.answers import CannotTell
from rules.workloads.expecting import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rules.alerts import Alert
    from rules.observations import Drop, Observation
    from rules.rule import Rule
    from rules.ruleset import RuleSet
    from rules.services import Inventory

    Facts = Mapping[str, Observation]


_WOULD_ACT = frozenset({Reason.ALLOWED, Reason.OBSERVE_MODE})
_HAS_ITS_RULE = NOTHING_TO_GO_BACK_TO | {Reason.ALLOWED}


def explain(
    ruleset: RuleSet,
    inventory: Inventory,
    alerts: Iterable[Alert],
    facts: Facts | None = None,
    *,
    left: Mapping[str, frozenset[str]] | None = None,
    clusters: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Return one entry per alert, with one decision per rule in file order.

    `facts` are observations by instance id; without them `running` is not applied, and instances map to None.
    `left` names, by instance id, the releases an instance was just rolled back from. `clusters` are the configured
    ones; where they are not known, whatever is named is taken for one.
    """
    return [
        {
            "fingerprint": alert.fingerprint,
            "status": alert.status,
            "labels": dict(alert.labels),
            "decisions": [
                {"rule": rule.name, **written(decision)}
                for rule, decision in decide(ruleset, inventory, alert, facts, left=left or {}, clusters=clusters)
            ],
        }
        for alert in alerts
    ]


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
            decision = (
                would(rule) if would else _alone(rule, inventory, alert, facts, left=left, clusters=clusters)
            )
            if decision.reason is Reason.OBSERVE_MODE:
                decision = replace(decision, detail=f"{decision.detail}; `mode: act` lets the rule do it")
            if rule.mode is Mode.ACT:
                decision = _without(taken, decision)
                taken.update(dict.fromkeys(_acted_on(decision), rule.name))
        decisions.append((rule, decision))
    return decisions


def _alone(
    rule: Rule,
    inventory: Inventory,
    alert: Alert,
    facts: Facts | None,
    *,
    left: Mapping[str, frozenset[str]],
    clusters: Sequence[str] | None,
) -> Decision:
    if rule.target.kubernetes is not None:
        return _would_workloads(rule, alert, facts, left, clusters)
    return _would(rule, inventory, alert, facts, left)


def _would(
    rule: Rule, inventory: Inventory, alert: Alert, facts: Facts | None, left: Mapping[str, frozenset[str]]
) -> Decision:
    """Decide for one matching rule as if it were alone."""
    instances, refusal = find_instances(rule, alert, inventory)
    if refusal is not None:
        return refusal
    return would_instances(rule, alert, [located.instance.id for located in instances], facts, left)


def would_instances(
    rule: Rule, alert: Alert, ids: Sequence[str], facts: Facts | None, left: Mapping[str, frozenset[str]]
) -> Decision:
    """Decide for the instances (by id) that were found, as if the rule were alone."""
    if facts is None:
        return _outcome(rule, dict.fromkeys(ids), [])
    known = {i: facts[i].names for i in ids if i in facts}
    kept, refusal = keep_running(rule, alert, known)
    if refusal is not None and len(known) == len(ids):
        return refusal
    return _choose(rule, [i for i in ids if i in kept or i not in known], facts, left)


def _would_workloads(
    rule: Rule,
    alert: Alert,
    facts: Facts | None,
    left: Mapping[str, frozenset[str]],
    clusters: Sequence[str] | None,
) -> Decision:
    """Say what would be looked for in a cluster, which is not asked here."""
    try:
        expected = expect(rule, alert, _clusters(rule, alert, facts) if clusters is None else clusters)
        running = rule.target.running.expand(alert.labels, alert.annotations) if rule.target.running else ""
    except CannotTell as answer:
        return answer.decision
    except LabelMissing as missing:
        return Decision(Outcome.REFUSE, Reason.LABEL_MISSING, str(missing))
    if expected.instance is None:
        decision = _outcome(rule, {}, [], expected.words)
    else:
        decision = would_instances(rule, alert, [expected.instance.id], facts, left)
    conditions = [*expected.conditions]
    if running and not (decision.instances.keys() & (facts or {}).keys()):
        conditions.append(f"it runs {running}")
    if not conditions or decision.reason not in _WOULD_ACT:
        return decision
    return replace(decision, detail=f"{decision.detail}, provided that {' and '.join(conditions)}")


def _clusters(rule: Rule, alert: Alert, facts: Facts | None) -> Sequence[str]:
    """Take for a configured cluster what the rule or the alert names, or the facts are about."""
    within = rule.target.kubernetes
    try:
        by_rule = within.cluster.expand(alert.labels, alert.annotations) if within and within.cluster else ""
    except LabelMissing:
        by_rule = ""
    named = [name for name in (by_rule, alert.labels.get("cluster", "")) if name]
    seen = [one.cluster for one in map(read_instance, facts or ()) if isinstance(one, WorkloadInstance)]
    return list(dict.fromkeys([*named, *([] if named else seen)])) or ["default"]


def _choose(rule: Rule, ids: Sequence[str], facts: Facts, left: Mapping[str, frozenset[str]]) -> Decision:
    goes_to: dict[str, str | None] = {}
    notes: list[str] = []
    reason = Reason.NO_CANDIDATE
    for instance in ids:
        goes_to[instance] = None
        if instance not in facts:
            notes.append(f"{_label(instance)} was not looked at")
            continue
        choice = choose(rule.to, facts[instance], left.get(instance, frozenset()))
        goes_to[instance] = choice.chosen
        notes += _told(facts[instance], choice.chosen)
        if choice.chosen is None:
            dropped = "; ".join(candidate.detail for candidate in choice.candidates)
            reason = choice.reason
            notes.append(f"{_label(instance)} has no release to go back to ({dropped or 'none is there'})")
    if rule.mode is Mode.ACT and all(i in facts and goes_to[i] is None for i in ids):
        return Decision(Outcome.HOLD, reason, "; ".join(notes), goes_to)
    return _outcome(rule, goes_to, notes)


def _told(seen: Observation, chosen: str | None) -> list[str]:
    """Repeat what a person should know of the releases concerned, as that a tag of theirs may move."""
    return [f"{one.name}: {one.note}" for one in seen.releases if one.note and one.name in (seen.running, chosen)]


def _outcome(
    rule: Rule, goes_to: Mapping[str, str | None], notes: Sequence[str], unknown: str = "nothing"
) -> Decision:
    moves = ", ".join(f"{_label(i)} to {to}" if to else _label(i) for i, to in goes_to.items()) or unknown
    if rule.mode is Mode.ACT:
        detail = "; ".join([f"rolls back {moves}", *notes])
        return Decision(Outcome.ROLL_BACK, Reason.ALLOWED, detail, goes_to)
    detail = "; ".join([f"would roll back {moves}", *notes])
    return Decision(Outcome.OBSERVE, Reason.OBSERVE_MODE, detail, goes_to)


def _acted_on(decision: Decision) -> Iterable[str]:
    """Return the instances that now have their rule: those it rolls back, or holds for want of a release."""
    return decision.instances if decision.reason in _HAS_ITS_RULE else ()


def _without(taken: Mapping[str, str], decision: Decision) -> Decision:
    """Take out what an earlier rule has."""
    gone = {instance: taken[instance] for instance in decision.instances if instance in taken}
    if not gone:
        return decision
    others = ", ".join(f"{_label(instance)} belongs to rule {rule}" for instance, rule in gone.items())
    rest = {i: to for i, to in decision.instances.items() if i not in gone}
    if rest:
        return replace(decision, detail=f"{decision.detail}; but {others}, which comes first", instances=rest)
    detail = f"{others}, which comes first; put this rule before it if it should act"
    return Decision(Outcome.REFUSE, Reason.ANOTHER_RULE_FIRST, detail, dict.fromkeys(gone))


def _label(instance: str) -> str:
    return read_instance(instance).label


def barred(decision: Decision, bars: Mapping[str, Drop]) -> Decision:
    """Say what stands in the way of instances (by id); where all of them are barred, nothing is left to do."""
    met = {instance: bars[instance] for instance in decision.instances if instance in bars}
    if not met or decision.reason not in _WOULD_ACT:
        return decision
    said = "; ".join(f"{_label(instance)}: {why}" for instance, (_, why) in met.items())
    goes_to = {instance: None if instance in met else to for instance, to in decision.instances.items()}
    if len(met) < len(goes_to):
        return replace(decision, detail=f"{decision.detail}; but {said}", instances=goes_to)
    reason = next(iter(met.values()))[0]
    return Decision(Outcome.HOLD if reason in NOTHING_TO_GO_BACK_TO else Outcome.REFUSE, reason, said, goes_to)


def written(decision: Decision) -> dict[str, Any]:
    """Return a decision as the answer of `rules explain` shows it."""
    return {
        "outcome": decision.outcome.value,
        "reason": decision.reason.value,
        "detail": decision.detail,
        "instances": dict(decision.instances),
    }
