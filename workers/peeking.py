"""A look at one instance for people who ask: what runs, what could be gone back to, and what bars the way."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from rules.decisions import Reason
from rules.errors import RollbackError
from rules.instances import Instance
from rules.observations import Drop, Observation
from rules.plans import Plan
from rules.releases import Choice, choose
from workers.runner.preparing import already_made, nothing_left
from workers.site import Site
from workers.terms import Terms


@dataclass(frozen=True, slots=True)
class Peek:
    """What one look told. `plan` is None where nothing can be chosen, `bar` None where the plan would be taken."""

    seen: Observation
    choice: Choice
    plan: Plan | None
    bar: Drop | None


def peek(site: Site, instance: Instance, terms: Terms) -> Peek:
    """Look, and plan as far as it goes; changes nothing. Raises what the driver does where nothing is seen."""
    with closing(site.reach(instance, "", terms, time.time)) as driver:
        seen = driver.observe()
        choice = choose(terms.to, seen, site.just_left(instance), override=terms.override)
        if choice.chosen is None:
            return Peek(seen, choice, None, (choice.reason, nothing_left(choice)))
        try:
            plan = driver.plan(seen, choice.chosen)
            driver.preflight(plan)
        except RollbackError as e:
            return Peek(seen, choice, None, (e.reason, str(e)))
    made_by = None
    if not terms.override:
        made_by = site.ledger.rollbacks.made_by(instance.id, seen.arrival) or seen.brought_by
    return Peek(seen, choice, plan, (Reason.EFFECT_ALREADY_MADE, already_made(made_by)) if made_by else None)
