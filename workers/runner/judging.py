"""The guards, asked about one rollback right before its first change, and what their answer allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.ledger import Rollback
from controller.ledger.booking import Booked, start_line
from controller.ledger.leases import Taken
from controller.ledger.rollbacks import Hold
from rules.catalogue import Catalogue
from rules.decisions import Outcome, Reason
from rules.errors import Permanent
from rules.instances import read_instance
from rules.judgement import Judgement
from rules.judging import best, judge
from rules.limits import Guards
from rules.observations import Observation
from rules.rule import Mode, Rule, Target, When
from workers.gathering.cases import Asked, Gathered, Gathering
from workers.runner.waits import Expired, HeldBack
from workers.site import Site
from workers.terms import Terms

_ASKED_AFTER_MS = 30 * 60_000
"""Held back for longer than this, a person decides, though the reason is gone."""
_HELD_AT_MOST_MS = 86_400_000
_GOES = frozenset({Outcome.ROLL_BACK, Outcome.ASK})


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the guards allow: to go to `judgement.to`, or (`asks`) to propose it; as of one version of the book."""

    judgement: Judgement
    booked: Booked
    campaign: str
    line: str
    release: str
    environment: str
    marked: str
    """The word under which the release is marked."""

    @property
    def asks(self) -> bool:
        """Whether a person has to approve it first."""
        return self.judgement.outcome is Outcome.ASK


class Judging:
    """Judges one rollback, under its lease, as often as the book moves."""

    def __init__(self, site: Site, taken: Taken, hold: Callable[[], Hold]) -> None:
        self._site = site
        self._taken = taken
        self._hold = hold
        self.judgement: Judgement | None = None
        """What was judged last."""

    def ask(self, rollback: Rollback, terms: Terms, observation: Observation, left: frozenset[str]) -> Allowed:
        """Ask every guard; raises `Permanent` where one refuses, `HeldBack` where one holds, `Expired`."""
        if rollback.rule and not any(episode.open for episode in self._taken.episodes):
            raise Permanent(Reason.RESOLVED, "no alert stands behind this rollback any more")
        gathered = self._gather(rollback, terms, observation, left)
        judgement = best([judge(case) for case in gathered.cases])
        judgement = self._after_a_hold(rollback, judgement, gathered)
        if terms.asks and judgement.outcome is Outcome.ROLL_BACK:
            judgement = replace(judgement, outcome=Outcome.ASK, reason=Reason.SUSPECTS_MANY)
        self.judgement = judgement
        if rollback.by and judgement.outcome not in _GOES:
            raise Permanent(judgement.reason, words_by_hand(judgement))
        if judgement.outcome is Outcome.HOLD:
            self._expire(rollback)
            raise HeldBack(judgement, gathered.booked.now_ms, gathered.campaign if rollback.rule else "")
        if judgement.outcome not in _GOES:
            raise Permanent(judgement.reason, judgement.detail)
        line = start_line(gathered.campaign, rollback.rule, rollback.service)
        campaign = gathered.campaign if rollback.rule else ""
        return Allowed(
            judgement,
            gathered.booked,
            campaign,
            line,
            gathered.release,
            gathered.environment,
            word_to_mark(observation, str(judgement.to), gathered.cases[0].service.catalogue),
        )

    def _gather(
        self, rollback: Rollback, terms: Terms, observation: Observation, left: frozenset[str]
    ) -> Gathered:
        rule = self._site.house.rules.by_digest(rollback.rule_digest)
        asked = Asked(
            instance=read_instance(rollback.instance),
            service=rollback.service,
            rule=replace(rule, to=terms.to) if rule else by_hand(terms),
            observation=observation,
            episodes=[episode for episode in self._taken.episodes if episode.open],
            left=left,
            enlist=self._hold() if rollback.rule else None,
            by_hand=not rollback.rule,
            own=rollback.id if rollback.committed_ms is not None else "",
            overridden=frozenset(terms.overridden),
        )
        gathering = Gathering(self._site)
        try:
            return gathering.gather(asked)
        finally:
            gathering.close()

    def _after_a_hold(self, rollback: Rollback, judgement: Judgement, gathered: Gathered) -> Judgement:
        """Let nothing begin by itself that a person may have forgotten, nor everything at once after a pause."""
        if judgement.outcome is not Outcome.ROLL_BACK:
            return judgement
        held_ms = 0 if rollback.held_ms is None else gathered.booked.now_ms - rollback.held_ms
        if held_ms > _ASKED_AFTER_MS:
            detail = f"it was held back for {held_ms // 60_000} min ({rollback.held_for}); {judgement.detail}"
            return replace(judgement, outcome=Outcome.ASK, reason=Reason.HELD_TOO_LONG, detail=detail)
        active = gathered.booked.active
        if rollback.held_for == Reason.PAUSED_BY_PERSON and active and gathered.campaign not in active:
            detail = "after a pause one campaign begins at a time, and another is under way"
            return replace(
                judgement, outcome=Outcome.HOLD, reason=Reason.PAUSED_BY_PERSON, detail=detail, wait=True
            )
        return judgement

    def _expire(self, rollback: Rollback) -> None:
        since_ms = rollback.held_ms
        if since_ms is not None and self._taken.now_ms - since_ms > _HELD_AT_MOST_MS:
            raise Expired(f"it was held back for a day ({rollback.held_for}); the alert's next episode asks again")


def is_let_go(rollback: Rollback, reason: Reason, now_ms: int) -> bool:
    """Whether nothing holds it back any more that did, though it still waits: the next hold begins anew.

    What was held back for long enough to be asked about stays so.
    """
    if rollback.held_ms is None or reason in (Reason.PAUSED_BY_PERSON, Reason.HELD_TOO_LONG):
        return False
    return now_ms - rollback.held_ms <= _ASKED_AFTER_MS


def word_to_mark(observation: Observation, to: str, catalogue: Catalogue) -> str:
    """Return the word under which the release that is left is marked.

    What the pipeline registered is marked for every cluster and host; but where one configuration of it gives way
    to another, only its own name says which is meant. A tag alone is never marked: it may move.
    """
    manifest = catalogue.manifest_of(observation.names)
    goes_to = next((release for release in observation.releases if release.name == to), None)
    if manifest is None or (goes_to is not None and catalogue.manifest_of((to, *goes_to.aliases)) == manifest):
        return observation.running or ""
    return manifest.version


def by_hand(terms: Terms) -> Rule:
    """Return what a person's rollback is judged as: a rule without alerts, that acts, under the usual limits."""
    guards = replace(Guards(), caused_by_release=None)
    return Rule(name="", when=When(), target=Target(), to=terms.to, mode=Mode.ACT, guards=guards)


def words_by_hand(judgement: Judgement) -> str:
    """Tell a person who asked which guard refuses, and how to override it by its name."""
    stopped = next((answer.guard for answer in judgement.answers if answer.reason is judgement.reason), "")
    over = f" To do it all the same: --override {stopped}" if stopped else ""
    return f"{judgement.detail.rstrip('.')}.{over}"
