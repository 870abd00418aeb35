"""Everything that is known besides the rules and the alert, at one moment: what a case is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.catalogue import NOTHING_KNOWN, Catalogue
from rules.facts import Book, Fact, InstanceFacts, Lock, OtherAlert, Peer
from rules.limits import NO_POLICY, Policy
from rules.services import Inventory, environment_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rules.facts import Member, Sample
    from rules.observations import Drop


@dataclass(frozen=True, slots=True)
class KnownCampaign:
    """A campaign under way. `release` is None where it is whatever its members run."""

    rule: str
    service: str
    environment: str | None
    release: str | None
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class World:
    """What is known. `source` says where from, `at_ms` of each fact how old it is.

    `asked` is whether Prometheus can be asked, None where there is none. `complete` is whether `others`, with the
    notification, are all that fires. `truncated` counts the alerts that the notification left out. `bars` are what
    stands in the way of a change, by instance; `pods` are the pods of workloads with what each runs.
    """

    now_ms: int
    inventory: Inventory = field(default_factory=lambda: Inventory({}))
    clusters: tuple[str, ...] = ()
    source: str = "facts"
    instances: Mapping[str, InstanceFacts] = field(default_factory=dict)
    catalogues: Mapping[tuple[str, str], Catalogue] = field(default_factory=dict)
    locks: Mapping[str, Fact[Lock]] = field(default_factory=dict)
    bars: Mapping[str, Drop] = field(default_factory=dict)
    pods: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    others: tuple[OtherAlert, ...] = ()
    onsets: Mapping[str, Fact[int]] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    campaigns: tuple[KnownCampaign, ...] = ()
    policy: Policy = NO_POLICY
    asked: bool | None = None
    queries: Mapping[str, Fact[tuple[Sample, ...]] | None] = field(default_factory=dict)
    complete: bool | None = None
    truncated: int = 0

    def catalogue(self, service: str, environment: str) -> Catalogue:
        """Return what is known of a service's releases in an environment."""
        own = self.catalogues.get((service, environment))
        return own or self.catalogues.get((service, ""), NOTHING_KNOWN)

    def peers(self, instance: InstanceFacts) -> tuple[Peer, ...]:
        """Return all instances of an instance's service and environment, itself included.

        Hosts of the inventory that nothing else is said of are there, and healthy.
        """
        told = {one.id: one for one in self.instances.values() if _are_peers(one, instance)}
        told[instance.id] = instance
        found = [_peer(one) for one in told.values()]
        silent = (one for one in self._of_inventory(instance) if one not in self.instances)
        return (*found, *(Peer(one, None, healthy=True) for one in silent if one not in told))

    def _of_inventory(self, instance: InstanceFacts) -> Iterable[str]:
        service = self.inventory.services.get(instance.service)
        if service is None or not instance.id.startswith("hosts/"):
            return ()
        name = self.inventory.name
        return [
            f"hosts/{name}/{service.name}/{host.name}"
            for host in service.hosts
            if environment_of(host.labels) in ("", instance.environment)
        ]


def _are_peers(one: InstanceFacts, instance: InstanceFacts) -> bool:
    return one.service == instance.service and one.environment == instance.environment


def _peer(one: InstanceFacts) -> Peer:
    return Peer(
        one.id,
        None if one.running is None else one.running.value,
        None if one.healthy is None else one.healthy.value,
        None if one.arrival is None else one.arrival.value.by_ms,
        one.labels or None,
    )
