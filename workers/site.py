"""What a worker process is made of, built once per process and handed down. Nothing here is a global."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.ledger import Ledger
from controller.settings.house import House
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.errors import Permanent
from rules.findings import Finding
from rules.instances import Instance
from rules.limits import NO_POLICY, Policy
from rules.targets import Located
from rules.workloads.by_hand import Wanted
from workers.driver import Driver
from workers.finding import NO_CLUSTER, Finder

if TYPE_CHECKING:
    from rules.seals import Key
    from workers.monitoring.alertmanager import Alertmanager
    from workers.monitoring.prometheus import Prometheus
from workers.stopping import Stopping
from workers.terms import Terms

Reach = Callable[[Instance, str, Terms, Callable[[], float]], Driver]
"""Reach an instance for a rollback (by id) under its terms, by a clock (seconds since the epoch) that means the
same on every machine; raises `Transient` or `Permanent`.
"""

FindWanted = Callable[[Wanted], tuple[Located, ...]]
"""Find the workloads that a person means; raises `Transient` or `Permanent`."""


def no_clusters(wanted: Wanted) -> tuple[Located, ...]:
    """Say that there is no cluster to find anything in."""
    del wanted
    raise Permanent(Reason.CLUSTER_UNKNOWN, NO_CLUSTER)


def nothing() -> None:
    """Prepare nothing: hosts are reached when they are needed."""


@dataclass(frozen=True, slots=True)
class Site:
    """The rules and inventory in force, the ledger, the way to targets, and whether we are asked to stop.

    `find` builds what leads from alerts to instances, one for each job; its connections last as long.
    `lease_ledger` builds the ledger whose only use is to renew a lease: its own connection, one short try.
    `policy` binds every rule. `prometheus` and `alertmanager` build clients, where the settings name such.
    `prepare` is done by a process that stands by for a job, so that the job need not.
    """

    numbers: Numbers
    house: House
    ledger: Ledger
    lease_ledger: Callable[[], Ledger]
    reach: Reach
    find: Callable[[], Finder]
    find_wanted: FindWanted = no_clusters
    prepare: Callable[[], None] = nothing
    policy: Policy = NO_POLICY
    prometheus: Callable[[], Prometheus] | None = None
    alertmanager: Callable[[], Alertmanager] | None = None
    check_clusters: Callable[[], Iterable[Finding]] = tuple
    """Look whether the clusters answer; nothing where there are none."""
    keys: Callable[[], Sequence[Key]] = tuple
    """Read the keys that seal what is planned, the last of which seals; raises `SecretUnreadable`."""
    stopping: Stopping = field(default_factory=Stopping)

    def just_left(self, instance: Instance) -> frozenset[str]:
        """Return the releases that an instance was just rolled back from; no rule goes to one of them."""
        return self.ledger.rollbacks.just_left(instance.id, self.numbers.left_kept_s)
