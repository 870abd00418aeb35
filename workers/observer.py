"""The observer: looks clusters and hosts over, again and again, and has what it sees noted in the ledger.

One on each worker machine, as its own process; a claim in the ledger lets one of them look at a time. It may be
killed at any moment: whatever it writes is whole, and the next look writes it again. Hosts are looked at beside
the clusters: neither waits for the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from controller.ledger import Ledger, LedgerUnavailable, connect
from controller.settings.clusters import clusters_in_force
from controller.settings.house import House
from controller.settings.numbers import Numbers
from controller.settings.secrets import SecretUnreadable
from controller.settings.settings import Settings
from rules.decisions import Reason
from rules.errors import Permanent, RollbackError
from rules.limits import NO_POLICY
from workers.keeping import Keeper
from workers.scraping import UP, Built, Scraped, read_builds, read_up
from workers.stopping import Stopping

if TYPE_CHECKING:
    from rules.seals import Key
    from rules.services import Inventory
    from workers.kubernetes.access import Cluster
    from workers.monitoring.prometheus import Prometheus

log = structlog.get_logger(__name__)

_CLAIMED_FOR = 0.9
"""Of the interval: who looked last may look again at the next turn."""
_LEDGER = ""


@dataclass(slots=True)
class Observer:
    """Sweeps clusters and hosts.

    `clusters` builds the client of each, anew for every sweep: credentials are rotated. `inventory` gives the one
    in force, `prometheus` a client for one sweep, where one is configured. `keys` are read as those of a `Site`.
    """

    ledger: Ledger
    clusters: Mapping[str, Callable[[], Cluster]]
    numbers: Numbers
    inventory: Callable[[], Inventory] | None = None
    prometheus: Callable[[], Prometheus] | None = None
    good_after_s: float = NO_POLICY.good_after_s
    keys: Callable[[], Sequence[Key]] = tuple
    _troubles: dict[str, str] = field(default_factory=dict)
    """What is wrong with each cluster or host, or (under no name) with the ledger; said once."""
    _late: tuple[str, ...] = ()

    def run(self, stopping: Stopping) -> None:
        """Sweep at every interval until asked to stop; clusters, hosts and Redis being away are waited out."""
        hosts = threading.Thread(target=self._run_hosts, args=(stopping,), name="hosts", daemon=True)
        hosts.start()
        while hosts.is_alive():  # a thread that ends by itself has failed: the supervisor starts us again
            self.look()
            if stopping.wait(self.numbers.observe_every_s):
                return

    def _run_hosts(self, stopping: Stopping) -> None:
        while True:
            self.look_at_hosts()
            if stopping.wait(self.numbers.observe_hosts_every_s):
                return

    def look(self) -> None:
        """Sweep each cluster that no other machine sweeps now."""
        try:
            for name, connect in self.clusters.items():
                if self.ledger.sightings.claim(name, self.numbers.observe_every_s * _CLAIMED_FOR):
                    self._sweep(name, connect)
        except LedgerUnavailable as e:
            self._say(_LEDGER, e.reason, str(e))
        else:
            self._say(_LEDGER, "", "")

    def look_at_hosts(self) -> None:
        """Sweep the hosts of the inventory, unless another machine does now."""
        from workers.hosts import sweeping  # noqa: PLC0415 - who has no hosts needs no SSH in memory

        inventory = self.inventory() if self.inventory else None
        if inventory is None or not inventory.services:
            return
        place, every_s = sweeping.place_of(inventory), self.numbers.observe_hosts_every_s
        try:
            if self.ledger.sightings.claim(place, every_s * _CLAIMED_FOR):
                keeper, within_s = self._keeper(place), every_s * _CLAIMED_FOR
                builds = self._builds(inventory)
                troubles = sweeping.sweep(inventory, keeper, self._late, within_s, builds=builds)
                self.ledger.sightings.unseen(place, troubles)
                self._say_of_hosts(troubles)
        except LedgerUnavailable as e:
            log.debug("observer.hosts_not_noted", error=str(e))  # the clusters' turn says it

    def _sweep(self, name: str, connect: Callable[[], Cluster]) -> None:
        from workers.kubernetes.gitops.looking_after import look_after_paused  # noqa: PLC0415
        from workers.kubernetes.recording import sweep  # noqa: PLC0415 - who has no clusters needs no client
        from workers.kubernetes.rostering import place_of  # noqa: PLC0415

        try:
            with closing(connect()) as cluster:
                keeper = self._keeper(place_of(name))
                trouble = sweep(cluster, self.ledger.sightings, keeper, sealed_by=self._key())
                look_after_paused(cluster, self.ledger)
        except LedgerUnavailable:
            raise
        except RollbackError as e:
            self._say(name, e.reason, str(e))
            self.ledger.sightings.troubled(name, str(e))
        else:
            self._say(name, trouble, trouble)

    def _key(self) -> Key | None:
        """Return the key that seals what is seen. Without one that is configured nothing is noted."""
        try:
            return next(reversed(self.keys()), None)
        except SecretUnreadable as e:
            raise Permanent(Reason.NOT_SEALED, f"what runs cannot be sealed, so it is not noted: {e}") from e

    def _keeper(self, place: str) -> Keeper:
        scraped, blind = self._up()
        return Keeper(self.ledger, place, self.good_after_s, scraped, blind).open()

    def _up(self) -> tuple[Scraped | None, bool]:
        """Ask once what is scraped; where Prometheus does not say, nobody knows."""
        if self.prometheus is None:
            return None, False
        try:
            with closing(self.prometheus()) as prometheus:
                return read_up(prometheus.query(UP)), False
        except RollbackError as e:
            log.warning("observer.not_told_what_is_scraped", error=str(e))
            return Scraped(), True

    def _builds(self, inventory: Inventory) -> dict[str, Built]:
        """Ask for each metric that names builds; what Prometheus does not say is not known."""
        metrics = {service.version_metric for service in inventory.services.values()} - {None}
        if self.prometheus is None or not metrics:
            return {}
        try:
            with closing(self.prometheus()) as prometheus:
                return {str(metric): read_builds(prometheus.query(str(metric))) for metric in metrics}
        except RollbackError as e:
            log.warning("observer.not_told_of_builds", error=str(e))
            return {}

    def _say_of_hosts(self, troubles: Mapping[str, str]) -> None:
        for instance in sorted({*troubles, *self._late}):
            self._say(instance, troubles.get(instance, ""), troubles.get(instance, ""))
        self._late = tuple(troubles)

    def _say(self, name: str, kind: str, trouble: str) -> None:
        """Log what changed, and nothing that was said already."""
        before = self._troubles.get(name, "")
        self._troubles[name] = kind
        if kind == before:
            return
        what = "ledger" if name == _LEDGER else "host" if "/" in name else "cluster"
        named = {} if what == "ledger" else {what: name}
        if trouble:
            log.warning(_TROUBLED[what], error=trouble, **named)
        else:
            log.info(_WELL[what], **named)


_TROUBLED = {
    "ledger": "observer.ledger_unavailable",
    "host": "observer.host_troubled",
    "cluster": "observer.cluster_troubled",
}
_WELL = {"ledger": "observer.ledger_back", "host": "observer.host_seen", "cluster": "observer.cluster_seen"}


def observer_of(settings: Settings, house: House) -> Observer:
    """Build the observer of what the settings and the inventory name; connects to nothing yet."""
    numbers = settings.numbers
    return Observer(
        connect(settings.redis, numbers, "worker"),
        _clusters(settings),
        numbers,
        partial(_inventory, house),
        _prometheus(settings),
        settings.policy.good_after_s,
        settings.audit.keys,
    )


def _inventory(house: House) -> Inventory:
    house.refresh()
    return house.inventory


def _clusters(settings: Settings) -> Mapping[str, Callable[[], Cluster]]:
    found = clusters_in_force(settings.clusters)
    if not found:
        return {}
    from workers.kubernetes.access import connect_cluster  # noqa: PLC0415

    return {name: partial(connect_cluster, name, one, settings.numbers) for name, one in found.items()}


def _prometheus(settings: Settings) -> Callable[[], Prometheus] | None:
    if settings.prometheus is None:
        return None
    from workers.monitoring.prometheus import Prometheus  # noqa: PLC0415

    return partial(Prometheus, settings.prometheus)
