"""What every rule would do about every alert of a notification, from everything that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rules.cases import case_of
from rules.deciding import GOES, decision_of
from rules.decisions import Decision, Outcome, Reason
from rules.facts import CampaignStart
from rules.guards.answers import Verdict
from rules.guards.budget import limits
from rules.instances import read_instance
from rules.judging import judge, judge_all
from rules.knownplaces import find
from rules.releases import NOTHING_TO_GO_BACK_TO
from rules.rule import Gitops
from rules.storms import service_words
from rules.targets import with_besides

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.alerts import Alert
    from rules.facts import Case
    from rules.judgement import Judgement
    from rules.rule import Rule
    from rules.ruleset import RuleSet
    from rules.targets import Located
    from rules.world import World


@dataclass(frozen=True, slots=True)
class Foresight:
    """The decision of each matching rule about each alert, by the alert's place in its notification."""

    decisions: Mapping[tuple[int, str], Decision]

    @classmethod
    def of(cls, ruleset: RuleSet, alerts: Sequence[Alert], world: World) -> Foresight:
        """Decide about all alerts together: what one campaign would touch is counted over all of them."""
        matched = {rule.name: _matching(rule, alerts, ruleset) for rule in ruleset.rules}
        world = _with_storm(world, ruleset, alerts, matched)
        decisions: dict[tuple[int, str], Decision] = {}
        started: dict[str, CampaignStart] = {}
        for rule in ruleset.rules:
            judging = _Judging(rule, alerts, world, started)
            for at in matched[rule.name]:
                judging.look(at)
            judging.look_around(ruleset)
            decisions |= {(at, rule.name): decision for at, decision in judging.decisions().items()}
        return cls(decisions)


def _matching(rule: Rule, alerts: Sequence[Alert], ruleset: RuleSet) -> list[int]:
    return [at for at, one in enumerate(alerts) if one.firing and rule in ruleset.match(one.labels)]


def _with_storm(
    world: World, ruleset: RuleSet, alerts: Sequence[Alert], matched: Mapping[str, Sequence[int]]
) -> World:
    """Count the services of the whole notification before anything is decided about one."""
    words = {
        word: world.now_ms
        for rule in ruleset.rules
        for at in matched[rule.name]
        for word in _services(rule, alerts[at], world)
    }
    return replace(world, book=replace(world.book, storm={**world.book.storm, **words}))


def _services(rule: Rule, alert: Alert, world: World) -> frozenset[str]:
    located, _ = find(world, rule, alert, ())
    return frozenset(one.service for one in located) or service_words(rule, alert, world.inventory)


class _Judging:
    """Judges all instances that one rule means, whichever alert leads to them.

    `started` are the campaigns that this notification starts, those of earlier rules too: limits count them.
    """

    def __init__(
        self, rule: Rule, alerts: Sequence[Alert], world: World, started: dict[str, CampaignStart]
    ) -> None:
        self._rule, self._alerts, self._world, self._started = rule, alerts, world, started
        self._located: dict[int, tuple[Located, ...]] = {}
        self._cases: dict[int, list[Case]] = {}
        self._problems: dict[int, Decision] = {}
        self._beside: list[Case] = []

    def look(self, at: int) -> None:
        """Find what one alert is about."""
        alert = self._alerts[at]
        siblings = [one for number, one in enumerate(self._alerts) if number != at and one.firing]
        located, problem = find(self._world, self._rule, alert, siblings)
        if problem is not None:
            self._problems[at] = problem
            return
        self._located[at] = located
        self._cases[at] = [case_of(self._world, self._rule, alert, siblings, one) for one in located]

    def look_around(self, ruleset: RuleSet) -> None:
        """Find what the rule does about open alerts beside the notification: it counts as affected too."""
        known = {one.fingerprint for one in self._alerts if one.fingerprint}
        for other in self._world.others:
            alert = other.alert
            if alert.fingerprint in known or self._rule not in ruleset.match(alert.labels):
                continue
            located, _ = find(self._world, self._rule, alert, self._alerts)
            self._beside += (case_of(self._world, self._rule, alert, self._alerts, one) for one in located)

    def decisions(self) -> dict[int, Decision]:
        """Judge what was found."""
        judged = self._apart() if self._rule.target.arrived_within_s is not None else self._at_once()
        decisions = dict(self._problems)
        for at, judgements in judged.items():
            barred = [self._barred(judgement) for judgement in judgements]
            decision = decision_of(barred)
            decisions[at] = replace(decision, detail=with_besides(decision.detail, self._located[at]))
        return decisions

    def _apart(self) -> dict[int, tuple[Judgement, ...]]:
        """Judge each alert alone: the suspects of one are not those of another."""
        return {at: tuple(map(self._within_limits, cases, judge_all(cases))) for at, cases in self._cases.items()}

    def _at_once(self) -> dict[int, tuple[Judgement, ...]]:
        every = [(at, case) for at, cases in self._cases.items() for case in cases]
        judged: dict[int, tuple[Judgement, ...]] = {}
        together = judge_all([*(case for _, case in every), *self._beside])
        for (at, case), judgement in zip(every, together, strict=False):
            judged[at] = (*judged.get(at, ()), self._within_limits(case, judgement))
        return judged

    def _within_limits(self, case: Case, judgement: Judgement) -> Judgement:
        """Count the campaigns that alerts before this one start; the one that is too many holds."""
        if judgement.outcome is not Outcome.ROLL_BACK or judgement.instance in self._world.bars:
            return judgement
        after = replace(case, book=replace(case.book, starts=(*case.book.starts, *self._started.values())))
        counted = limits(after)
        if counted is not None and counted.verdict is not Verdict.ALLOW:
            return judge(after)
        ident = case.campaign.id
        start = CampaignStart(ident, case.rule.name, case.service.name, case.now_ms)
        self._started.setdefault(ident, start)
        return judgement

    def _barred(self, judgement: Judgement) -> Judgement:
        """Say what stands in the way of a change that would be made."""
        bar = self._world.bars.get(judgement.instance)
        if bar is None or judgement.outcome not in GOES or self._gives_way(bar[0]):
            return judgement
        outcome = Outcome.HOLD if bar[0] in NOTHING_TO_GO_BACK_TO else Outcome.REFUSE
        return replace(judgement, outcome=outcome, reason=bar[0], detail=bar[1], to=None)

    def _gives_way(self, reason: Reason) -> bool:
        return reason is Reason.GITOPS_OWNED and self._rule.gitops is not Gitops.REFUSE


def takes(decision: Decision) -> tuple[str, ...]:
    """Return the instances that now have their rule: those it may act on, or holds for want of a release."""
    return tuple(
        one.instance
        for one in decision.judgements
        if one.outcome in (Outcome.ROLL_BACK, Outcome.ASK) or one.reason in NOTHING_TO_GO_BACK_TO
    )


def without(taken: Mapping[str, str], decision: Decision) -> Decision:
    """Take out what an earlier rule has (by instance)."""
    return decision_of([_taken(one, taken) for one in decision.judgements])


def _taken(judgement: Judgement, taken: Mapping[str, str]) -> Judgement:
    first = taken.get(judgement.instance)
    if first is None:
        return judgement
    label = read_instance(judgement.instance).label
    detail = f"{label} belongs to rule {first}, which comes first; put this rule before it if it should act"
    return replace(
        judgement, outcome=Outcome.REFUSE, reason=Reason.ANOTHER_RULE_FIRST, detail=detail, to=None, wait=False
    )
