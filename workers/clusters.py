"""The clusters of the settings, as one process uses them: each is connected to when it is first asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.ledger import Ledger
from controller.settings.clusters import ClusterSettings
from controller.settings.numbers import Numbers
from controller.settings.secrets import SecretUnreadable
from rules.decisions import Reason
from rules.errors import Permanent
from rules.findings import Finding
from rules.instances import WorkloadInstance
from rules.seals import Key
from rules.targets import Located
from rules.workloads.by_hand import Wanted
from workers.driver import Driver
from workers.finding import Finder
from workers.kubernetes.access import Cluster, connect_cluster, warm
from workers.kubernetes.checking import check_cluster
from workers.kubernetes.driver import KubernetesDriver
from workers.kubernetes.finding import KubernetesFinder
from workers.kubernetes.looking import closed_to_us
from workers.kubernetes.plan import Params
from workers.kubernetes.services import find_wanted
from workers.terms import Terms


@dataclass(slots=True)
class Clusters:
    """Leads to clusters by name. What was connected before a fork is not used after it."""

    settings: Mapping[str, ClusterSettings]
    numbers: Numbers
    ledger: Ledger
    keys: Callable[[], Sequence[Key]] = tuple
    """The keys by which what was seen is believed, as in `Site`."""
    _open: dict[tuple[int, str], Cluster] = field(default_factory=dict)

    def warm(self) -> None:
        """Load what every job needs, before the process forks for them."""
        warm()

    def prepare(self) -> None:
        """Build the client of every cluster, in the process that will use it; connects to nothing."""
        for name in self.settings:
            self.cluster(name).prepare()

    def cluster(self, name: str) -> Cluster:
        """Return a cluster by its name; raises `Permanent` for one that the settings do not have."""
        if name not in self.settings:
            known = ", ".join(self.settings) or "none"
            message = f"the settings have no cluster {name!r} (they have {known}): add it under `clusters:`"
            raise Permanent(Reason.CLUSTER_UNKNOWN, message)
        ours = (os.getpid(), name)
        if ours not in self._open:
            self._open[ours] = connect_cluster(name, self.settings[name], self.numbers)
        return self._open[ours]

    def finder(self) -> Finder:
        """Build what finds workloads for one job."""
        return KubernetesFinder(self.cluster, tuple(self.settings))

    def check(self) -> Iterator[Finding]:
        """Say of each cluster whether it answers and what we may do there."""
        for name in self.settings:
            yield from check_cluster(self.cluster(name))

    def find_wanted(self, wanted: Wanted) -> tuple[Located, ...]:
        """Find the workloads that a person means."""
        return find_wanted(self.cluster, tuple(self.settings), wanted)

    def reach(self, instance: WorkloadInstance, rollback: str, terms: Terms, clock: Callable[[], float]) -> Driver:
        """Reach a workload for a rollback; raises `Permanent` where the settings do not let us."""
        allowed = self.settings[instance.cluster].namespaces if instance.cluster in self.settings else ()
        outside = closed_to_us(instance.cluster, allowed, instance.namespace)
        if outside:  # a record may name what nobody would have been let
            raise Permanent(Reason.WORKLOAD_UNKNOWN, f"{outside}: add it there, or cancel the rollback")
        params = Params(
            to=terms.to,
            restore=terms.restore,
            pin=terms.pin,
            gitops=terms.gitops,
            when_paused=terms.when_paused,
            evidence_logs_s=terms.evidence_logs_s,
            healthy_within_s=terms.healthy_within_s,
            steady_s=terms.steady_s,
            who=terms.who,
            why=terms.why,
        )
        return KubernetesDriver(
            self.cluster(instance.cluster),
            instance,
            params,
            rollback,
            recorded=lambda: self.recorded(instance.id),
            suspensions=self.ledger.suspensions,
            clock=clock,
        )

    def recorded(self, instance: str) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """Return the digests that were seen while revisions of a workload were healthy, by its uid."""
        try:
            return self.ledger.sightings.digests(instance, self.keys())
        except SecretUnreadable:  # no rollback begins then, and a look shows what it can
            return {}
