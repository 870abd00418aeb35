"""The observer: looks every cluster over, again and again, and has what it sees noted in the ledger.

One on each worker machine, as its own process; a claim in the ledger lets one of them look at a time. It may be
killed at any moment: whatever it writes is whole, and the next look writes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import structlog

from controller.ledger import Ledger, LedgerUnavailable, connect
from controller.settings.clusters import clusters_in_force
from controller.settings.numbers import Numbers
from controller.settings.settings import Settings
from rules.errors import RollbackError
from workers.kubernetes.access import Cluster, connect_cluster
from workers.kubernetes.recording import sweep
from workers.stopping import Stopping

log = structlog.get_logger(__name__)

_CLAIMED_FOR = 0.9
"""Of the interval: who looked last may look again at the next turn."""


@dataclass(slots=True)
class Observer:
    """Sweeps clusters. `clusters` builds the client of each, anew for every sweep: credentials are rotated."""

    ledger: Ledger
    clusters: Mapping[str, Callable[[], Cluster]]
    numbers: Numbers
    _troubles: dict[str, str] = field(default_factory=dict)
    """What is wrong with each cluster, or (under no name) with the ledger; said once."""

    def run(self, stopping: Stopping) -> None:
        """Sweep at every interval until asked to stop; clusters and Redis being away are waited out."""
        while True:
            self.look()
            if stopping.wait(self.numbers.observe_every_s):
                return

    def look(self) -> None:
        """Sweep each cluster that no other machine sweeps now."""
        try:
            for name, connect in self.clusters.items():
                if self.ledger.sightings.claim(name, self.numbers.observe_every_s * _CLAIMED_FOR):
                    self._sweep(name, connect)
        except LedgerUnavailable as e:
            self._say("", e.reason, str(e))
        else:
            self._say("", "", "")

    def _sweep(self, name: str, connect: Callable[[], Cluster]) -> None:
        try:
            with closing(connect()) as cluster:
                trouble = sweep(cluster, self.ledger.sightings)
        except LedgerUnavailable:
            raise
        except RollbackError as e:
            self._say(name, e.reason, str(e))
            self.ledger.sightings.troubled(name, str(e))
        else:
            self._say(name, trouble, trouble)

    def _say(self, name: str, kind: str, trouble: str) -> None:
        """Log what changed, and nothing that was said already."""
        before = self._troubles.get(name, "")
        self._troubles[name] = kind
        if kind == before:
            return
        what = {"cluster": name} if name else {}
        if trouble:
            log.warning(
                "observer.cluster_troubled" if name else "observer.ledger_unavailable", error=trouble, **what
            )
        else:
            log.info("observer.cluster_seen" if name else "observer.ledger_back", **what)


def observer_of(settings: Settings) -> Observer:
    """Build the observer of every cluster that the settings name; connects to nothing yet."""
    numbers = settings.numbers
    found = clusters_in_force(settings.clusters)
    clusters = {name: partial(connect_cluster, name, one, numbers) for name, one in found.items()}
    return Observer(connect(settings.redis, numbers, "worker"), clusters, numbers)
