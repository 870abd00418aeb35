"""A rule written down: with nothing left out, for people and files, and as the digest of what it means."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from rules.durations import write_duration
from rules.limits import write_number
from rules.scope import EVERY
from rules.to import write_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.limits import CausedByRelease, Compare, Guards, Requirement, Waves
    from rules.matchers import Matcher
    from rules.rule import Check, KubernetesTarget, Rule, Signal, Target, Verify, When

EVERY_ALERT = "{}"
"""The matchers of what is about every alert: none at all would be taken for forgotten."""
OFF = "off"
"""In place of a guard's mapping: it is not asked."""
AUTO = "auto"
"""In place of a duration: what the alerting rule needs."""


def written(rule: Rule) -> dict[str, Any]:
    """Return the rule as it would be written with nothing left out, ready for JSON or YAML."""
    return {
        "name": rule.name,
        "description": rule.description,
        "mode": rule.mode.value,
        "when": _when(rule.when),
        "target": _target(rule.target),
        "to": [write_to(entry) for entry in rule.to],
        **_of_workloads(rule),
        "before": {
            "require": [_requirement(one) for one in rule.require],
            "evidence": {"logs": write_duration(rule.evidence_logs_s)},
        },
        "guards": _guards(rule),
        "waves": _waves(rule.waves),
        "verify": _verify(rule.verify),
        "retry": {
            "attempts": rule.retry.attempts,
            "initial": write_duration(rule.retry.initial_s),
            "factor": rule.retry.factor,
            "max": write_duration(rule.retry.max_s),
        },
        "notify": list(rule.notify),
    }


def _verify(verify: Verify) -> dict[str, Any]:
    within = verify.cleared_within_s
    return {
        "healthy-within": write_duration(verify.healthy_within_s),
        "steady": write_duration(verify.steady_s),
        "cleared-within": AUTO if within is None else write_duration(within),
        "check": [_check(one) for one in verify.checks],
        "on-ineffective": verify.on_ineffective.value,
    }


def _check(check: Check) -> dict[str, Any]:
    return {"promql": check.promql, "is": str(check.is_), "for": write_duration(check.for_s)}


def write_share(share: float) -> str:
    """Write a share of 1 as a percentage."""
    return f"{write_number(round(share * 100, 9))}%"


def digest_of(rule: Rule) -> str:
    """Identify what a rule means, whatever its layout, the order of its lists and its description."""
    meaning = written(rule)
    del meaning["description"]
    when = meaning["when"]
    when["matchers"] = _sorted(rule.when.matchers)
    when["any"] = sorted(_sorted(matchers) for matchers in rule.when.any_of)
    for name, signal in (("unless", rule.when.unless), ("also", rule.when.also)):
        if signal is not None:
            when[name] |= {"matchers": _sorted(signal.matchers), "equal": _sorted(signal.equal)}
    for choice in ("only", "except"):
        values = meaning["target"].get(choice, {})
        meaning["target"][choice] = {label: sorted(set(wanted)) for label, wanted in values.items()}
    meaning["guards"]["freeze"] = _sorted(rule.guards.freeze)
    meaning["notify"] = _sorted(rule.notify)
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sorted(values: Iterable[object]) -> list[str]:
    return sorted({str(value) for value in values})


def _when(when: When) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if when.matchers or not when.any_of:
        said["matchers"] = _listed(when.matchers)
    if when.any_of:
        said["any"] = [{"matchers": _listed(matchers)} for matchers in when.any_of]
    if when.unless is not None:
        said["unless"] = _signal(when.unless)
    if when.also is not None:
        said["also"] = _signal(when.also)
    said["for"] = write_duration(when.for_s)
    if when.alert_for_s is not None:
        said["alert-for"] = write_duration(when.alert_for_s)
    return said


def _listed(matchers: Iterable[Matcher]) -> list[str]:
    return [str(matcher) for matcher in matchers] or [EVERY_ALERT]


def _signal(signal: Signal) -> dict[str, Any]:
    within = {} if signal.within_s is None else {"within": write_duration(signal.within_s)}
    return {"matchers": _listed(signal.matchers), "equal": list(signal.equal), **within}


def _target(target: Target) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if target.hosts is not None:
        instance = target.hosts.instance
        said["hosts"] = {} if instance is None else {"instance": instance.text}
    if target.kubernetes is not None:
        said["kubernetes"] = _kubernetes(target.kubernetes)
    if target.service is not None:
        said["service"] = target.service.text
    if target.only:
        said["only"] = {label: list(values) for label, values in target.only.items()}
    if target.except_:
        said["except"] = {label: list(values) for label, values in target.except_.items()}
    if target.running is not None:
        said["running"] = target.running.text
    if target.arrived_within_s is not None:
        said["arrived-within"] = write_duration(target.arrived_within_s)
    return said


def _kubernetes(target: KubernetesTarget) -> dict[str, Any]:
    texts = {"cluster": target.cluster, "namespace": target.namespace, "workload": target.workload}
    said: dict[str, Any] = {name: template.text for name, template in texts.items() if template is not None}
    if target.selector is not None:
        said["selector"] = dict(target.selector) or EVERY
    return {**said, "pods": target.pods.value, "when-paused": target.when_paused.value}


def _of_workloads(rule: Rule) -> dict[str, Any]:
    """Return what means nothing to hosts; a rule about them is written without it."""
    if rule.target.kubernetes is None:
        return {}
    restore = {} if rule.restore.value == "auto" else {"restore": rule.restore.value}
    return {**restore, "pin": rule.pin.value}


def _requirement(requirement: Requirement) -> dict[str, Any]:
    return {"name": requirement.name, "promql": requirement.promql, "is": str(requirement.is_)}


def _guards(rule: Rule) -> dict[str, Any]:
    guards: Guards = rule.guards
    return {
        "caused-by-release": _caused(guards.caused_by_release),
        "cooldown": write_duration(guards.cooldown_s),
        "limits": {"per-hour": guards.limits.per_hour, "per-day": guards.limits.per_day},
        "affected": {
            "max": guards.affected.max,
            "max-share": write_share(guards.affected.max_share),
            "min-healthy": write_share(guards.affected.min_healthy),
        },
        "freeze": list(guards.freeze),
        **({} if rule.target.kubernetes is None else {"gitops": rule.gitops.value}),
    }


def _caused(guard: CausedByRelease | None) -> str | dict[str, Any]:
    if guard is None:
        return OFF
    compare = {} if guard.compare is None else {"compare": _compare(guard.compare)}
    return {"within": write_duration(guard.within_s), "skew": write_duration(guard.skew_s), **compare}


def _compare(compare: Compare) -> dict[str, Any]:
    return {"by": compare.by, "query": compare.query, "at-least": f"{write_number(compare.at_least)}x"}


def _waves(waves: Waves) -> list[int | str] | dict[str, Any]:
    steps = [step if isinstance(step, int) else write_share(step) for step in waves.steps]
    return {"by": waves.by, "steps": steps} if waves.by else steps
