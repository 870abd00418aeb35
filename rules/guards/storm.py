"""The storm brake: where many services are in trouble at once, it is not one release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict
from rules.guards.wording import clock, listed, span

if TYPE_CHECKING:
    from rules.facts import Case

STORM = "storm"


def storm(case: Case) -> Answer | None:
    """Hold while more services matched lately than the policy takes for coincidence."""
    if case.alert is None:
        return None
    brake = case.policy.storm
    window_ms = int(brake.within_s * 1000)
    lately = {name: at for name, at in case.book.storm.items() if at > case.now_ms - window_ms}
    said = f"{len(lately)} in {span(window_ms)}"
    facts = (UsedFact("services in trouble", said, "ledger"),)
    if len(lately) <= brake.services:
        return Answer(STORM, Verdict.ALLOW, detail=f"{said}, no storm", facts=facts)
    until = sorted(lately.values())[len(lately) - brake.services - 1] + window_ms
    detail = (
        f"alerts about {len(lately)} services matched within {span(window_ms)} ({listed(sorted(lately))}), more "
        f"than the {brake.services} of the policy's `storm`: look for what they have in common; "
        f"if it was nothing, it is judged anew at {clock(until)}"
    )
    return Answer(STORM, Verdict.HOLD, Reason.STORM, detail, facts, until)
