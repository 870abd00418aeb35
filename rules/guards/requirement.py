"""What PromQL must say before the first change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.asking import answered, numbers
from rules.guards.wording import listed
from rules.limits import write_number

if TYPE_CHECKING:
    from rules.facts import Case
    from rules.limits import Requirement

REQUIRE = "require"


def required(case: Case) -> Answer | None:
    """Hold unless every requirement is met by every sample of its answer; no answer meets nothing."""
    if not case.rule.require:
        return None
    facts = tuple(_fact(case, one) for one in case.rule.require)
    found = [said for one in case.rule.require if (said := _unmet(case, one))]
    found.sort(key=lambda one: one[0] is not Reason.REQUIREMENT_NOT_MET)
    if found:
        reason, detail = found[0]
        return Answer(REQUIRE, Verdict.HOLD, reason, detail, facts)
    return Answer(
        REQUIRE, Verdict.ALLOW, detail=f"met: {listed(one.name for one in case.rule.require)}", facts=facts
    )


def _unmet(case: Case, requirement: Requirement) -> tuple[Reason, str] | None:
    answer, name = answered(case, requirement.promql), requirement.name
    if answer is None:
        return (
            Reason.REQUIREMENT_UNKNOWN,
            f"{name}: Prometheus could not be asked, or the query asks for a label the alert lacks; see the rule",
        )
    samples = numbers(answer.value)
    broken = [sample.value for sample in samples if not requirement.is_.holds(sample.value)]
    if broken:
        return (
            Reason.REQUIREMENT_NOT_MET,
            f"{name} is {write_number(broken[0])} and must be {requirement.is_}; see to that first",
        )
    if len(samples) < max(1, len(answer.value)):
        return (
            Reason.REQUIREMENT_UNKNOWN,
            f"{name}: Prometheus has no number for it (it must be {requirement.is_}); see whether it is scraped",
        )
    return None


def _fact(case: Case, requirement: Requirement) -> UsedFact:
    answer = answered(case, requirement.promql)
    words = listed(write_number(sample.value) for sample in answer.value) or "no samples" if answer else None
    return used(requirement.name, answer, case.now_ms, words)
