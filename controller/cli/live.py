"""Completes what the rules say with what the running controller sees: releases, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cli.api import PLANNING_S
from rules.decisions import Outcome, Reason
from rules.instances import read_instance
from rules.releases import NOTHING_TO_GO_BACK_TO
from rules.targets import keep_running
from rules.to import write_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from controller.cli.api import Api
    from rules.alerts import Alert
    from rules.rule import Rule

_ABOUT_INSTANCES = frozenset({Outcome.ROLL_BACK, Outcome.OBSERVE})
_NOT_IN_FORCE = "; its workloads were not looked for: the rule is not in force as it is written here"
_MOST_AT_ONCE = 100
_OF_THE_SERVER = ("outcome", "reason", "detail", "instances", "judgements")


@dataclass(slots=True)
class Live:
    """Asks once for each instance and list of candidates, however many alerts are about it.

    Which workloads are meant only a cluster can say: there the controller answers by its own rules in force.
    """

    server: Api
    rules: Mapping[str, Rule]
    _known: dict[tuple[str, str], dict[str, Any]]

    @classmethod
    def of(cls, server: Api, rules: Iterable[Rule]) -> Live:
        """Ask this server about these rules."""
        return cls(server, {rule.name: rule for rule in rules}, {})

    def find_workloads(self, entries: Sequence[dict[str, Any]], body: Mapping[str, Any]) -> None:
        """Let the controller decide about workloads, for the notification that `body` is."""
        asked = [[one for one in entry["decisions"] if self._needs_cluster(one)] for entry in entries]
        if not any(asked):
            return
        answers = self.server.post("explain", body, PLANNING_S)["alerts"]
        for decisions, answer in zip(asked, answers, strict=True):
            in_force = {one["rule_digest"]: one for one in answer["decisions"]}
            for decision in decisions:
                found = in_force.get(self.rules[decision["rule"]].digest)
                if found is None:
                    decision["detail"] += _NOT_IN_FORCE
                else:
                    decision.update({name: found[name] for name in _OF_THE_SERVER if name in found})

    def _needs_cluster(self, decision: Mapping[str, Any]) -> bool:
        about_workloads = self.rules[decision["rule"]].target.kubernetes is not None
        return about_workloads and decision["reason"] not in (Reason.NO_MATCH, Reason.NOT_FIRING)

    def complete(self, entry: dict[str, Any], alert: Alert) -> None:
        """Fill in the releases of one alert's decisions, or the refusal that a rollback would meet."""
        for decision in entry["decisions"]:
            if self.rules[decision["rule"]].target.kubernetes is not None:
                continue
            if decision["outcome"] in _ABOUT_INSTANCES and decision["instances"]:
                self._complete(decision, alert, self.rules[decision["rule"]])

    def _complete(self, decision: dict[str, Any], alert: Alert, rule: Rule) -> None:
        answers = self._ask(list(decision["instances"]), rule)
        seen = {instance: names for instance, answer in answers.items() if (names := _names(answer))}
        kept, refusal = keep_running(rule, alert, seen)
        if refusal is not None and len(seen) == len(answers):
            decision.update(outcome=refusal.outcome.value, reason=refusal.reason.value, detail=refusal.detail)
            decision["instances"] = {}
            return
        answers = {i: answer for i, answer in answers.items() if i in kept or i not in seen}
        decision["instances"] = {i: _target(answer) for i, answer in answers.items()}
        refused = {i: answer["refusal"] for i, answer in answers.items() if answer.get("refusal")}
        if refused:
            _refuse(decision, refused, every=len(refused) == len(answers))

    def _ask(self, instances: Sequence[str], rule: Rule) -> dict[str, dict[str, Any]]:
        to = [write_to(entry) for entry in rule.to]
        new = [instance for instance in instances if (instance, str(to)) not in self._known]
        for at in range(0, len(new), _MOST_AT_ONCE):
            asked = {"instances": new[at : at + _MOST_AT_ONCE], "to": to}
            for answer in self.server.post("plans", asked, PLANNING_S)["plans"]:
                self._known[answer["instance"], str(to)] = answer
        return {instance: self._known[instance, str(to)] for instance in instances}


def _names(answer: Mapping[str, Any]) -> tuple[str, ...]:
    running = (answer.get("plan") or {}).get("from_release")
    return tuple(answer.get("running_names") or ([running] if running else []))


def _target(answer: Mapping[str, Any]) -> str | None:
    return (answer.get("plan") or {}).get("to_release")


def _refuse(decision: dict[str, Any], refused: Mapping[str, Mapping[str, Any]], *, every: bool) -> None:
    said = "; ".join(f"{read_instance(i).label}: {refusal['detail']}" for i, refusal in refused.items())
    if not every:
        decision["detail"] = f"{decision['detail']}; but {said}"
        return
    reason = next(iter(refused.values()))["reason"]
    outcome = Outcome.HOLD if reason in NOTHING_TO_GO_BACK_TO else Outcome.REFUSE
    decision.update(outcome=outcome.value, reason=reason, detail=said)
