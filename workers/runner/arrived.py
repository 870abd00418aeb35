"""What our own hand brought: it is no arrival for a rule to act on."""

from __future__ import annotations

from controller.ledger.ids import effect_of
from rules.plans import Plan, StepKind, StepState
from workers.driver import Driver


def arrival_of(driver: Driver, plan: Plan) -> str:
    """Return the arrival that our own hand brought; empty where something else is there already."""
    seen = driver.observe()
    return seen.arrival if seen.running == plan.to_release else ""


def shows_our_hand(driver: Driver, plan: Plan, rollback: str, fence: int) -> bool:
    """Whether the target shows that this rollback has begun its plan, whatever the ledger remembers of that.

    The workload's own word, the fence beside the link that leads to where we go, our hold on its owner.
    """
    seen = driver.observe()
    if seen.brought_by == rollback or (seen.fence_owner == rollback and seen.running == plan.to_release):
        return True
    pauses = (step for step in plan.steps if step.kind is StepKind.PAUSE_OWNER)
    return any(driver.inspect(step, {}, fence) is StepState.DONE for step in pauses)


def our_effects(instance: str, arrival: str) -> tuple[str, ...]:
    """Return the effects of what our own hand brought."""
    return (effect_of(instance, arrival),) if arrival else ()
