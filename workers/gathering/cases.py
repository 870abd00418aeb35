"""The cases that are judged: one for each alert behind a rollback, or one for what a person asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from controller.ledger import Episode
from controller.ledger.booking import Booked
from controller.ledger.rollbacks import Hold
from rules.campaigns import campaign_of
from rules.facts import Case
from rules.guards.names import Release
from rules.instances import Instance
from rules.observations import Observation
from rules.rule import Rule
from workers.finding import Finder
from workers.gathering.alerts import Alerts
from workers.gathering.answers import answers
from workers.gathering.instances import belonging, instance_facts, service_facts
from workers.gathering.sparing import Sparing
from workers.gathering.storms import by_service
from workers.site import Site


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: one instance, as it was just seen, for these alerts; none of them: for a person.

    `enlist` makes the rollback one of its campaign's, under its lease; without it nothing is written.
    """

    instance: Instance
    service: str
    rule: Rule
    observation: Observation
    episodes: Sequence[Episode]
    left: frozenset[str]
    enlist: Hold | None = None
    by_hand: bool = False
    own: str = ""
    """A rollback that has committed and changed nothing: what it has reserved is left out of account."""
    overridden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gathered:
    """The cases, and the book that they rest on. `release` is the campaign's word for the release that runs."""

    cases: tuple[Case, ...]
    booked: Booked
    campaign: str
    environment: str
    release: str


@dataclass(slots=True)
class Gathering:
    """Gathers for one job; connects to monitoring and clusters only where something is asked of them."""

    site: Site
    _finder: Finder | None = None
    _prometheus: Sparing | None = None
    _alerts: Alerts | None = None
    _closing: list[Callable[[], None]] = field(default_factory=list)

    def gather(self, asked: Asked) -> Gathered:
        """Gather everything. What cannot be known is left unknown; raises `Transient` where nothing can be said.

        The book is read before anything else that changes with it: what changes later moves its version. Which
        campaign to read, the catalogue says; it is read again, for what was said of releases meanwhile.
        """
        ledger, inventory = self.site.ledger, self.site.house.inventory
        where = belonging(asked.instance, asked.service, asked.observation, inventory)
        catalogue = ledger.catalogue.of(where.service, where.environment)
        release = Release.of(asked.observation.names, catalogue).word
        campaign = campaign_of(asked.rule.name, where.service, where.environment, release)
        if asked.enlist is not None:
            ledger.booking.enlist(
                asked.enlist,
                campaign,
                {
                    "rule": asked.rule.name,
                    "service": where.service,
                    "environment": where.environment,
                    "release": release,
                },
            )
        booked = ledger.booking.read(campaign, where.service, asked.own)
        catalogue = ledger.catalogue.of(where.service, where.environment)
        if Release.of(asked.observation.names, catalogue).word != release:
            return self.gather(asked)
        instance = instance_facts(
            ledger,
            asked.instance,
            where,
            asked.observation,
            left=asked.left,
            now_ms=booked.now_ms,
            own=asked.own,
        )
        service = service_facts(ledger, asked.instance, where, inventory, catalogue, booked.lock)
        storm = by_service(ledger, booked.book.storm, asked.instance.id, self.site.policy)
        book = replace(booked.book, storm=storm)

        def case(episode: Episode | None) -> Case:
            return Case(
                rule=asked.rule,
                now_ms=booked.now_ms,
                instance=instance,
                service=service,
                alert=None if episode is None else self._about().facts(asked.rule, episode, booked.now_ms),
                book=book,
                campaign=booked.campaign,
                policy=self.site.policy,
                answers=answers(self._ask(), asked.rule, episode.alert if episode else None, booked.now_ms),
                overridden=asked.overridden,
            )

        judged: Sequence[Episode | None] = [None] if asked.by_hand else asked.episodes
        return Gathered(tuple(map(case, judged)), booked, campaign, where.environment, release)

    def close(self) -> None:
        """Let go of connections."""
        for close in self._closing:
            close()
        self._closing.clear()

    def _ask(self) -> Sparing | None:
        if self._prometheus is None and self.site.prometheus is not None:
            prometheus = self.site.prometheus()
            self._prometheus = Sparing(prometheus)
            self._closing.append(prometheus.close)
        return self._prometheus

    def _about(self) -> Alerts:
        if self._alerts is None:
            finder = self._finder or self.site.find()
            if self._finder is None:
                self._closing.append(finder.close)
            alertmanager = self.site.alertmanager() if self.site.alertmanager else None
            if alertmanager is not None:
                self._closing.append(alertmanager.close)
            self._alerts = Alerts(self.site.ledger, finder, self._ask(), alertmanager)
        return self._alerts
