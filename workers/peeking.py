"""A look at one instance for a person who asks: what runs, where it would go, and what bars the way."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from rules.decisions import Outcome, Reason
from rules.errors import RollbackError
from rules.instances import HostInstance, Instance
from rules.judgement import Judgement
from rules.judging import judge
from rules.observations import Drop, Observation
from rules.plans import Plan
from rules.releases import Choice
from rules.services import service_said_by
from workers.gathering.cases import Asked, Gathering
from workers.runner.judging import by_hand, words_by_hand
from workers.site import Site
from workers.terms import Terms


@dataclass(frozen=True, slots=True)
class Peek:
    """What one look told. `plan` is None where nothing can be chosen, `bar` None where the plan would be taken."""

    seen: Observation
    judgement: Judgement
    plan: Plan | None
    bar: Drop | None

    @property
    def choice(self) -> Choice:
        """What was considered to go back to."""
        return self.judgement.choice or Choice(())


def peek(site: Site, instance: Instance, terms: Terms) -> Peek:
    """Look, judge and plan as far as it goes, and change nothing; raises what the driver does."""
    with closing(site.reach(instance, "", terms, time.time)) as driver, closing(Gathering(site)) as gathering:
        seen = driver.observe()
        asked = Asked(
            instance=instance,
            service=_service(instance, seen),
            rule=by_hand(terms),
            observation=seen,
            episodes=(),
            left=site.just_left(instance),
            by_hand=True,
            overridden=frozenset(terms.overridden),
        )
        judgement = judge(gathering.gather(asked).cases[0])
        bar: Drop | None = None
        if judgement.outcome not in (Outcome.ROLL_BACK, Outcome.ASK) or judgement.to is None:
            bar = judgement.reason, words_by_hand(judgement)
        if judgement.to is None:
            return Peek(seen, judgement, None, bar or (Reason.NO_CANDIDATE, judgement.detail))
        try:
            plan = driver.plan(seen, judgement.to)
            driver.preflight(plan)
        except RollbackError as e:
            return Peek(seen, judgement, None, (e.reason, str(e)))
    return Peek(seen, judgement, plan, bar)


def _service(instance: Instance, seen: Observation) -> str:
    if isinstance(instance, HostInstance):
        return instance.service
    return service_said_by(seen.labels or {}) or ""
