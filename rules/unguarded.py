"""What a rule selects and would choose where no guard is asked: from an alert alone, or from looks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.decisions import Decision, Outcome, Reason
from rules.instances import WorkloadInstance, read_instance
from rules.releases import choose
from rules.rule import Mode
from rules.targets import find_instances, keep_running
from rules.templates import LabelMissing
from rules.workloads.answers import CannotTell
from rules.workloads.expecting import expect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.alerts import Alert
    from rules.observations import Observation
    from rules.rule import Rule
    from rules.services import Inventory

    Facts = Mapping[str, Observation]

_WOULD_ACT = frozenset({Reason.ALLOWED, Reason.ASK_MODE, Reason.OBSERVE_MODE})


def alone(
    rule: Rule,
    inventory: Inventory,
    alert: Alert,
    facts: Facts | None,
    *,
    left: Mapping[str, frozenset[str]],
    clusters: Sequence[str] | None,
) -> Decision:
    """Decide for one matching rule as if there were no other."""
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
    if rule.mode is not Mode.OBSERVE and all(i in facts and goes_to[i] is None for i in ids):
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
    if rule.mode is Mode.ASK:
        detail = "; ".join([f"asks whether to roll back {moves}", *notes])
        return Decision(Outcome.ASK, Reason.ASK_MODE, detail, goes_to)
    detail = "; ".join([f"would roll back {moves}", *notes])
    return Decision(Outcome.OBSERVE, Reason.OBSERVE_MODE, detail, goes_to)


def _label(instance: str) -> str:
    return read_instance(instance).label
