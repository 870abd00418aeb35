"""From the facts file's model to what is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.facts import Fact, InstanceFacts, OtherAlert, Sample
from rules.instances import HostInstance, WorkloadInstance, read_instance
from rules.limits import NO_POLICY
from rules.observations import Observation, Offer
from rules.reading.factrecords import Records
from rules.services import environment_of, service_said_by
from rules.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.limits import Policy
    from rules.observations import Drop, ReleaseSeen
    from rules.reading.factmodels import FactsModel
    from rules.reading.factplaces import Places
    from rules.reading.instancefacts import InstanceFacts as InstanceModel
    from rules.reading.releasefacts import ReleaseFacts
    from rules.services import Host, Inventory

SOURCE = "facts file"
_OTHERS = 1 << 32
"""Where the fingerprints begin that are made up for other alerts."""


@dataclass(frozen=True, slots=True)
class WorldBuilder:
    """Builds what is known, at one moment. Raises `RuleFileErrors` for an instance that cannot be told."""

    model: FactsModel
    places: Places
    now_ms: int
    inventory: Inventory

    def world(self, clusters: Sequence[str], policy: Policy, truncated: int) -> World:
        """Put everything together."""
        models = self.places.learn(self.model.instances)
        instances = {ident: self._instance(ident, one) for ident, one in models.items()}
        told = {ident for ident, one in models.items() if one.brought_by is not None or one.history is not None}
        records = Records(self.model, self.places, self.now_ms, instances, told)
        instances = records.instances_after_rollbacks()
        prometheus = self.model.prometheus
        world = World(
            now_ms=self.now_ms,
            inventory=_labelled(self.inventory, instances),
            clusters=self._clusters(clusters, instances),
            source=SOURCE,
            instances=instances,
            catalogues=records.catalogues(models),
            locks=records.locks(),
            bars={ident: _bar(one.barred) for ident, one in models.items() if one.barred is not None},
            pods={ident: one.pods for ident, one in models.items()},
            others=tuple(self._others()),
            onsets=self._onsets(),
            book=records.book(),
            campaigns=records.campaigns(),
            policy=self.model.policy.read() if self.model.policy is not None else policy or NO_POLICY,
            asked=None if prometheus is None else prometheus.reachable,
            queries=self._queries(),
            complete=None if self.model.alertmanager is None else self.model.alertmanager.complete,
            truncated=truncated,
        )
        self.places.check()
        return world

    def _clusters(self, configured: Sequence[str], instances: Mapping[str, InstanceFacts]) -> tuple[str, ...]:
        named = [one.cluster for one in instances.values() if one.cluster]
        return tuple(dict.fromkeys([*configured, *self.model.clusters, *named]))

    def _instance(self, ident: str, one: InstanceModel) -> InstanceFacts:
        where = read_instance(ident)
        labels = {**self._host_labels(ident), **one.labels}
        of_host = "" if isinstance(where, WorkloadInstance) else where.service
        service = one.service or of_host or service_said_by(labels) or self._only_service()
        at_ms = one.seen.at(self.now_ms)
        names, arrival, change = one.names(), one.arrival(self.now_ms), one.last_change(self.now_ms)
        return InstanceFacts(
            id=ident,
            service=service,
            environment=self._environment(one, service, labels),
            cluster=where.cluster if isinstance(where, WorkloadInstance) else "",
            running=None if names is None else Fact(names, SOURCE, at_ms),
            arrival=None if arrival is None else Fact(arrival, SOURCE, at_ms),
            labels=labels,
            healthy=None if one.healthy is None else Fact(one.healthy, SOURCE, at_ms),
            scraped=None if one.scraped is None else Fact(one.scraped, SOURCE, at_ms),
            last_change=None if change is None else Fact(change, SOURCE, self.now_ms),
            made_by=one.made_by,
            left=one.just_left(),
            platform=one.platform,
            observation=None if names is None else self._observed(one, service, names),
        )

    def _only_service(self) -> str:
        return next(iter(self.model.services)) if len(self.model.services) == 1 else ""

    def _environment(self, one: InstanceModel, service: str, labels: Mapping[str, str]) -> str:
        if one.environment is not None:
            return one.environment
        of_service = self.model.services.get(service)
        said = of_service.environment if of_service is not None else None
        return environment_of(labels) or said or self.model.environment

    def _host_labels(self, ident: str) -> Mapping[str, str]:
        where = read_instance(ident)
        if isinstance(where, WorkloadInstance) or where.service not in self.inventory.services:
            return {}
        hosts = self.inventory.services[where.service].hosts
        return next((host.labels for host in hosts if host.name == where.host), {})

    def _observed(self, one: InstanceModel, service: str, names: tuple[str, ...]) -> Observation:
        registered = self.model.services[service].releases if service in self.model.services else []
        had = enumerate(one.ordered(registered))
        releases = tuple(self._seen(release, at, service, names) for at, release in had)
        running = next((release.name for release in releases if release.name in names), None)
        arrival = one.arrival(self.now_ms)
        offers = {
            word: Offer(offer.release, None if offer.refused is None else _bar(offer.refused), offer.note)
            for word, offer in one.offers.items()
        }
        return Observation(
            running=running or (names[0] if names else None),
            arrival=SOURCE,
            fence=0,
            releases=releases,
            offers=offers,
            labels=one.labels or None,
            arrived=arrival,
            platform=one.platform,
        )

    def _seen(self, release: ReleaseFacts, at: int, service: str, names: tuple[str, ...]) -> ReleaseSeen:
        """Return a release as a look would have told; what is registered under its name identifies its bits."""
        registered = self.model.services[service].releases if service in self.model.services else ()
        twin = next((one for one in registered if one.name == release.name), None)
        extra = names if release.name in names else ()
        return release.seen(at, twin, extra)

    def _others(self) -> list[OtherAlert]:
        return [
            OtherAlert(
                one.read(_OTHERS + at, self.now_ms),
                None if one.instances is None else self.places.ids(one.instances, ("alerts", at, "instances")),
                since_ms=one.starts_at.at(self.now_ms),
                heard_ms=one.heard.at(self.now_ms),
            )
            for at, one in enumerate(self.model.alerts)
        ]

    def _onsets(self) -> dict[str, Fact[int]]:
        prometheus = self.model.prometheus
        if prometheus is None or not prometheus.reachable:
            return {}
        return {
            key: Fact(moment.at(self.now_ms), "Prometheus", self.now_ms)
            for key, moment in prometheus.onset.items()
        }

    def _queries(self) -> dict[str, Fact[tuple[Sample, ...]] | None]:
        prometheus = self.model.prometheus
        if prometheus is None or not prometheus.reachable:
            return {}
        return {
            query: None
            if samples is None
            else Fact(tuple(Sample(one.value, one.labels) for one in samples), "Prometheus", self.now_ms)
            for query, samples in prometheus.queries.items()
        }


def _bar(reason: Reason) -> Drop:
    return reason, f"the target says {reason}; see to that first"


def _labelled(inventory: Inventory, instances: Mapping[str, InstanceFacts]) -> Inventory:
    """Return the inventory with what the file says of labels: a rule selects a host by them too."""
    services = {
        name: replace(service, hosts=tuple(_host(inventory, name, host, instances) for host in service.hosts))
        for name, service in inventory.services.items()
    }
    return replace(inventory, services=services)


def _host(inventory: Inventory, service: str, host: Host, instances: Mapping[str, InstanceFacts]) -> Host:
    known = instances.get(HostInstance(inventory.name, service, host.name).id)
    return host if known is None else replace(host, labels=known.labels)
