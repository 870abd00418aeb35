"""Looks at instances before anything is decided about them, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import structlog

from controller.ledger import Episode
from rules.deciding import GOES, decision_of
from rules.decisions import Decision, Outcome, Reason
from rules.errors import RollbackError
from rules.facts import Case
from rules.instances import Instance, read_instance
from rules.judgement import Judgement
from rules.judging import judge_all
from rules.observations import Observation
from rules.rule import Rule
from rules.targets import Located
from workers.gathering.cases import Asked, Gathering
from workers.runner.preparing import require_meant
from workers.site import Site
from workers.terms import Terms

log = structlog.get_logger(__name__)

_BUDGET_S = 40
"""All looks of one job together: a fleet that hangs must not use up the queue's time limit."""
_WOULD_MOST = 20


class Looks:
    """What runs where, and what a rule would do there. `check` is asked before each look; it may raise."""

    def __init__(self, site: Site, check: Callable[[], None], budget_s: float = _BUDGET_S) -> None:
        self._site = site
        self._check = check
        self._until = time.monotonic() + budget_s
        self._gathering = Gathering(site)
        self._seen: dict[tuple[str, str], Observation | Judgement] = {}
        """By rule and instance: how one is looked at is the rule's."""

    def running(self, instances: Iterable[Instance], terms: Terms) -> dict[str, tuple[str, ...]]:
        """Say which release each instance (by id) runs: every word that names it, its name first.

        One that cannot be seen now counts as running what the alert names: its own rollback looks again, with
        retries, and refuses if it does not.
        """
        return {instance.id: self._names(instance, terms) for instance in instances}

    def would(self, located: Sequence[Located], episode: Episode, rule: Rule, terms: Terms) -> Decision:
        """Judge every instance that an alert means as it would be right before a change; changes nothing.

        Raises `Transient` where nothing can be said about any of them.
        """
        cases: list[Case] = []
        others: list[Judgement] = []
        for at, one in enumerate(located):
            found = self._case(one, episode, rule, terms, look=at < _WOULD_MOST)
            cases += [found] if isinstance(found, Case) else []
            others += [found] if isinstance(found, Judgement) else []
        judged = [self._tried(judgement, terms) for judgement in judge_all(cases)]
        decision = decision_of([*judged, *others])
        notes = (note for case, one in zip(cases, judged, strict=True) for note in _notes(case, one))
        return replace(decision, detail="; ".join(dict.fromkeys([decision.detail, *notes])))

    def _tried(self, judgement: Judgement, terms: Terms) -> Judgement:
        """Ask the target as well: what it, or whoever keeps it as it is, would refuse."""
        if judgement.outcome not in GOES or judgement.to is None:
            return judgement
        instance = read_instance(judgement.instance)
        try:
            with closing(self._site.reach(instance, "", terms, time.time)) as driver:
                driver.preflight(driver.plan(driver.observe(), judgement.to))
        except RollbackError as e:
            return replace(judgement, outcome=Outcome.REFUSE, reason=e.reason, detail=str(e), to=None)
        return judgement

    def close(self) -> None:
        """Let go of connections."""
        self._gathering.close()

    def _case(self, one: Located, episode: Episode, rule: Rule, terms: Terms, *, look: bool) -> Case | Judgement:
        seen = self._look(one.instance, rule, terms) if look else _not_looked_at(one.instance)
        if isinstance(seen, Judgement):
            return seen
        try:
            require_meant(seen, terms)
        except RollbackError as e:
            return _judged(one.instance, e)
        asked = Asked(
            instance=one.instance,
            service=one.service,
            rule=rule,
            observation=seen,
            episodes=[episode],
            left=self._site.just_left(one.instance),
        )
        return self._gathering.gather(asked).cases[0]

    def _look(self, instance: Instance, rule: Rule, terms: Terms) -> Observation | Judgement:
        known = (rule.digest, instance.id)
        if known not in self._seen:
            self._seen[known] = self._look_now(instance, terms)
        return self._seen[known]

    def _look_now(self, instance: Instance, terms: Terms) -> Observation | Judgement:
        if not self._time_left():
            return _not_looked_at(instance)
        try:
            with closing(self._site.reach(instance, "", terms, time.time)) as driver:
                return driver.observe()
        except RollbackError as e:
            return _judged(instance, e)

    def _time_left(self) -> bool:
        self._check()
        return time.monotonic() < self._until

    def _names(self, instance: Instance, terms: Terms) -> tuple[str, ...]:
        expected = (terms.expects,) if terms.expects else ()
        if not self._time_left():
            return expected
        try:
            with closing(self._site.reach(instance, "", terms, time.time)) as driver:
                return driver.observe().names
        except RollbackError as e:
            log.warning("instance.not_seen", instance=instance.id, reason=e.reason, detail=str(e))
            return expected


def _notes(case: Case, judgement: Judgement) -> Iterator[str]:
    """Repeat what a person should know of the releases concerned, as that a tag of theirs may move."""
    seen = case.instance.observation
    for release in seen.releases if seen is not None else ():
        if release.note and release.name in (seen.running if seen else None, judgement.to):
            yield f"{release.name}: {release.note}"


def _judged(instance: Instance, error: RollbackError) -> Judgement:
    outcome = Outcome.NO_MATCH if error.reason is Reason.NOT_SELECTED else Outcome.REFUSE
    return Judgement(instance.id, outcome, error.reason, str(error))


def _not_looked_at(instance: Instance) -> Judgement:
    detail = "there was no time to look at it; ask about fewer instances at once"
    return Judgement(instance.id, Outcome.HOLD, Reason.DEADLINE, detail, wait=True)
