"""What is known of one instance and of its service: from the look at it, the ledger, and what the observer saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.ledger import Ledger, RosterEntry
from rules.arrivals import narrowed
from rules.catalogue import Catalogue
from rules.facts import Arrival, Fact, Hand, InstanceFacts, Lock, Peer, ServiceFacts
from rules.instances import HostInstance, Instance, WorkloadInstance
from rules.observations import Observation
from rules.services import Inventory, environment_of

TARGET = "the target"
OBSERVER = "the observer"


@dataclass(frozen=True, slots=True)
class Belonging:
    """What an instance belongs to."""

    service: str
    environment: str
    labels: Mapping[str, str]


def belonging(instance: Instance, service: str, observation: Observation, inventory: Inventory) -> Belonging:
    """Say what an instance belongs to, by the labels that a rule selects it by."""
    labels = observation.labels
    if labels is None:
        labels = _host_labels(instance, inventory)
    return Belonging(service, environment_of(labels), labels)


def _host_labels(instance: Instance, inventory: Inventory) -> Mapping[str, str]:
    if not isinstance(instance, HostInstance) or instance.service not in inventory.services:
        return {}
    hosts = inventory.services[instance.service].hosts
    return next((host.labels for host in hosts if host.name == instance.host), {})


def instance_facts(
    ledger: Ledger,
    instance: Instance,
    where: Belonging,
    observation: Observation,
    left: frozenset[str],
    now_ms: int,
    own: str = "",
) -> InstanceFacts:
    """Put together what is known of one instance; what rollback `own` has reserved is left out of account.

    What is not healthy and cannot be scraped is down, and nobody is blind for that.
    """
    seen = ledger.roster.get(instance.id)
    made_by, arrival = _arrival(ledger, instance, observation, own)
    if seen is not None and seen.pin == observation.arrival:
        seen_fact = Fact(
            narrowed(arrival.value, seen.arrival) if arrival else seen.arrival, OBSERVER, seen.seen_ms
        )
        arrival = seen_fact if arrival is None else replace(arrival, value=seen_fact.value)
    return InstanceFacts(
        id=instance.id,
        service=where.service,
        environment=where.environment,
        cluster=instance.cluster if isinstance(instance, WorkloadInstance) else "",
        running=Fact(observation.names, TARGET, now_ms),
        arrival=arrival,
        labels=where.labels,
        healthy=_seen(seen.healthy, seen.seen_ms) if seen else None,
        scraped=_seen(seen.scraped, seen.seen_ms) if seen and (seen.scraped or seen.healthy) else None,
        last_change=ledger.booking.last_change(instance.id, own),
        made_by=made_by,
        left=left,
        platform=observation.platform,
        observation=observation,
    )


def _seen(value: bool | None, at_ms: int) -> Fact[bool] | None:  # noqa: FBT001 - a value, and no switch
    return None if value is None else Fact(value, OBSERVER, at_ms)


def _arrival(
    ledger: Ledger, instance: Instance, observation: Observation, own: str
) -> tuple[str | None, Fact[Arrival] | None]:
    """Return the rollback that acted on this arrival already, and the arrival with the hand that brought it."""
    made = ledger.rollbacks.made_by(instance.id, observation.arrival)
    made = None if made == own else made
    rollback = ledger.rollbacks.get(made) if made else None
    brought = observation.brought_by
    if rollback is not None and rollback.our_arrival == observation.arrival:
        brought = rollback.id
    acted = made if made is not None and made != brought else None
    arrived = observation.arrived
    if brought is not None:
        by = rollback if rollback and rollback.id == brought else ledger.rollbacks.get(brought)
        hand, who = (Hand.PERSON, by.by) if by is not None and by.by else (Hand.ROLLBACK, brought)
        at_ms = (by.changed_ms if by else None) or 0
        arrived = replace(arrived or Arrival(at_ms), hand=hand, who=who)
    return acted, None if arrived is None else Fact(arrived, TARGET)


def service_facts(
    ledger: Ledger,
    instance: Instance,
    where: Belonging,
    inventory: Inventory,
    catalogue: Catalogue,
    lock: Fact[Lock] | None,
) -> ServiceFacts:
    """Put together what is known of a service: all its instances in this environment, this one among them."""
    entries = ledger.roster.of_service(where.service, where.environment)
    peers = {entry.instance: _peer(entry) for entry in entries}
    for ident in (*_listed(instance, where, inventory), instance.id):
        peers.setdefault(ident, Peer(ident))
    at_ms = min((entry.seen_ms for entry in entries), default=None)
    known = bool(entries) or isinstance(instance, HostInstance)
    return ServiceFacts(
        name=where.service,
        environment=where.environment,
        peers=Fact(tuple(peers.values()), OBSERVER if entries else "the inventory", at_ms) if known else None,
        catalogue=catalogue,
        lock=lock,
    )


def _peer(entry: RosterEntry) -> Peer:
    return Peer(entry.instance, entry.names, entry.healthy, entry.arrival.by_ms, entry.labels)


def _listed(instance: Instance, where: Belonging, inventory: Inventory) -> Iterable[str]:
    """Name the hosts of the service that the inventory knows in this environment, seen or not."""
    if not isinstance(instance, HostInstance) or instance.service not in inventory.services:
        return
    for host in inventory.services[instance.service].hosts:
        if environment_of(host.labels) == where.environment:
            yield HostInstance(instance.inventory, instance.service, host.name).id
