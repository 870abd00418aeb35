"""What our own hand brought: it is no arrival for a rule to act on."""

from __future__ import annotations

from controller.ledger.ids import effect_of
from rules.plans import Plan
from workers.driver import Driver


def arrival_of(driver: Driver, plan: Plan) -> str:
    """Return the arrival that our own hand brought; empty where something else is there already."""
    seen = driver.observe()
    return seen.arrival if seen.running == plan.to_release else ""


def our_effects(instance: str, arrival: str) -> tuple[str, ...]:
    """Return the effects of what our own hand brought."""
    return (effect_of(instance, arrival),) if arrival else ()
