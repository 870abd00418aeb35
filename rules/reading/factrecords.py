"""What a facts file says of the past and of people: marks, rollbacks, campaigns, pauses, locks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.campaigns import campaign_of
from rules.catalogue import Catalogue, Manifest
from rules.facts import (
    Book,
    Breaker,
    CampaignStart,
    Demotion,
    Fact,
    InstanceFacts,
    LastChange,
    Lock,
    Member,
    MemberState,
    Pause,
)
from rules.instances import WorkloadInstance, read_instance
from rules.marks import Mark, Marked
from rules.reading.afterrollbacks import EARLIER, after_rollback
from rules.world import KnownCampaign

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from rules.reading.factmodels import FactsModel, ServiceFacts
    from rules.reading.factplaces import Places
    from rules.reading.instancefacts import InstanceFacts as InstanceModel
    from rules.reading.recordfacts import CampaignFacts, PastRollback
    from rules.reading.releasefacts import ReleaseFacts

_STATES = {
    None: MemberState.RECOVERED,
    "recovered": MemberState.RECOVERED,
    "verifying": MemberState.STARTED,
    "ineffective": MemberState.NOT_RECOVERED,
    "inconclusive": MemberState.NOT_RECOVERED,
    "failed": MemberState.NOT_RECOVERED,
}
_WEIGHT = (Mark.UNKNOWN, Mark.KNOWN_GOOD, Mark.SUSPECT, Mark.KNOWN_BAD)


@dataclass(frozen=True, slots=True)
class Records:
    """Reads them, at one moment."""

    model: FactsModel
    places: Places
    now_ms: int
    instances: Mapping[str, InstanceFacts]
    hands_told: Collection[str] = ()
    """Instances of which the file says whose hand brought what runs."""

    def instances_after_rollbacks(self) -> dict[str, InstanceFacts]:
        """Return the instances with what past rollbacks did to them."""
        after = dict(self.instances)
        for past in self.model.rollbacks:
            began_ms = past.at.at(self.now_ms)
            for ident in self._of(past):
                if ident in after:
                    change = LastChange(began_ms, EARLIER, self._campaign_id(past))
                    hand_is_told = ident in self.hands_told
                    after[ident] = after_rollback(after[ident], past, change, hand_is_told=hand_is_told)
        return after

    def catalogues(self, models: Mapping[str, InstanceModel]) -> dict[tuple[str, str], Catalogue]:
        """Return what is known of every service's releases, by service and environment."""
        names = {*self.model.services, *(one.service for one in self.instances.values())}
        names |= {self._service_of(past) for past in self.model.rollbacks}
        environments = {"", self.model.environment, *(one.environment for one in self.instances.values())}
        for service in self.model.services.values():
            environments |= {*service.stable, *(mark.environment for mark in service.marks)}
        return {
            (name, environment): self._catalogue(name, environment, models)
            for name in names
            for environment in environments
        }

    def locks(self) -> dict[str, Fact[Lock]]:
        """Return who deploys what now."""
        locks = {}
        for name, service in self.model.services.items():
            if service.lock is not None:
                until_ms = service.lock.until.at(self.now_ms) if service.lock.until else None
                locks[name] = Fact(
                    Lock(service.lock.by, service.lock.why, until_ms), self.places.source, self.now_ms
                )
        return locks

    def book(self) -> Book:
        """Return everything that guards count."""
        starts: dict[str, CampaignStart] = {}
        for at, past in enumerate(self.model.rollbacks):
            ident = self._campaign_id(past) or f"earlier-{at}"
            began_ms = past.at.at(self.now_ms)
            known = starts.get(ident)
            began_ms = min(began_ms, known.at_ms) if known else began_ms
            starts[ident] = CampaignStart(ident, past.rule, self._service_of(past), began_ms)
        return Book(
            version="facts",
            starts=tuple(starts.values()),
            pauses=tuple(self._pauses()),
            demoted={
                rule: Demotion(one.why, one.at.at(self.now_ms), one.rollback)
                for rule, one in self.model.demoted.items()
            },
            breakers={
                service: Breaker(one.why, one.at.at(self.now_ms), tuple(one.rollbacks))
                for service, one in self.model.breakers.items()
            },
            storm={service: moment.at(self.now_ms) for service, moment in self.model.storm.items()},
            at_ms=self.now_ms,
        )

    def campaigns(self) -> tuple[KnownCampaign, ...]:
        """Return the campaigns under way, and those that past rollbacks were part of."""
        return (*(self._campaign(at, one) for at, one in enumerate(self.model.campaigns)), *self._past_campaigns())

    def _campaign(self, at: int, one: CampaignFacts) -> KnownCampaign:
        members = tuple(
            Member(ident, member.state, _cluster(ident))
            for member in one.members
            for ident in self.places.ids([member.instance], ("campaigns", at, "members"))
        )
        first = next((self.instances[m.instance] for m in members if m.instance in self.instances), None)
        service = one.service or (first.service if first else self._only_service())
        return KnownCampaign(one.rule, service, one.environment, one.release, members)

    def _past_campaigns(self) -> Iterator[KnownCampaign]:
        """Put the rollbacks of one release of one service under one rule together."""
        found: defaultdict[tuple[str, str, str, str], list[Member]] = defaultdict(list)
        for past in sorted(self.model.rollbacks, key=lambda one: one.at.at(self.now_ms)):
            if past.release is not None:
                key = (past.rule, self._service_of(past), self._environment_of(past), past.release)
                found[key] += (Member(ident, _STATES[past.outcome], _cluster(ident)) for ident in self._of(past))
        for (rule, service, environment, release), members in found.items():
            if members:
                yield KnownCampaign(rule, service, environment, release, tuple(members))

    def _only_service(self) -> str:
        return next(iter(self.model.services)) if len(self.model.services) == 1 else ""

    def _pauses(self) -> Iterator[Pause]:
        for one in self.model.pauses:
            until_ms = one.until.at(self.now_ms) if one.until else None
            yield Pause("" if one.scope == "everything" else one.scope, one.by, one.why, until_ms)

    def _campaign_id(self, past: PastRollback) -> str:
        if past.campaign or past.release is None:
            return past.campaign
        return campaign_of(past.rule, self._service_of(past), self._environment_of(past), past.release)

    def _environment_of(self, past: PastRollback) -> str:
        if past.environment is not None:
            return past.environment
        found = next((self.instances[i] for i in self._of(past) if i in self.instances), None)
        return found.environment if found is not None else self.model.environment

    def _of(self, past: PastRollback) -> tuple[str, ...]:
        return self.places.ids(past.instances, ("rollbacks", self.model.rollbacks.index(past), "instances"))

    def _service_of(self, past: PastRollback) -> str:
        if past.service is not None:
            return past.service
        found = (self.instances.get(ident) for ident in self._of(past))
        return next((one.service for one in found if one is not None), self._only_service())

    def _catalogue(self, name: str, environment: str, models: Mapping[str, InstanceModel]) -> Catalogue:
        service = self.model.services.get(name)
        ours = [
            (ident, one)
            for ident, one in models.items()
            if self.instances[ident].service == name and environment in ("", self.instances[ident].environment)
        ]
        on_instances = [release for _, one in ours for release in one.releases or ()]
        marks: defaultdict[str, list[Marked]] = defaultdict(list)
        for release in (*(service.releases if service else ()), *on_instances):
            if (marked := release.marked(self.now_ms)) is not None:
                marks[release.name].append(marked)
        for word, marked in self._marks(name, service, environment):
            marks[word].append(marked)
        stable = service.stable.get(environment, service.stable.get("")) if service else None
        return Catalogue(
            tuple(self._manifests(name, service, on_instances)),
            {word: max(found, key=lambda one: _WEIGHT.index(one.mark)) for word, found in marks.items()},
            stable,
        )

    def _marks(self, name: str, service: ServiceFacts | None, environment: str) -> Iterator[tuple[str, Marked]]:
        for past in self.model.rollbacks:
            if past.release and self._service_of(past) == name and past.environment in (None, "", environment):
                if past.outcome == "recovered":
                    yield (
                        past.release,
                        Marked(Mark.KNOWN_BAD, "an earlier rollback", "leaving it ended the trouble"),
                    )
                elif past.outcome in (None, "verifying"):
                    yield past.release, Marked(Mark.SUSPECT, "an earlier rollback", "it is not judged yet")
        if service is None:
            return
        for words, mark in (
            (service.known_good, Mark.KNOWN_GOOD),
            (service.known_bad, Mark.KNOWN_BAD),
            (service.suspect, Mark.SUSPECT),
        ):
            yield from ((word, Marked(mark, self.places.source)) for word in words)
        for one in service.marks:
            if one.environment in ("", environment) and one.release:
                yield one.release, one.marked(self.now_ms)

    def _manifests(
        self, name: str, service: ServiceFacts | None, on_instances: list[ReleaseFacts]
    ) -> Iterator[Manifest]:
        """Return what is registered; what an instance's own list says counts where nothing else is."""
        registered = service.releases if service else []
        known = {release.name for release in registered}
        for release in registered:
            yield release.manifest(name, self.now_ms)
        for release in on_instances:
            if release.described and release.name not in known:
                known.add(release.name)
                yield release.manifest(name, self.now_ms)


def _cluster(ident: str) -> str:
    where = read_instance(ident)
    return where.cluster if isinstance(where, WorkloadInstance) else ""
