"""Finds the workloads that alerts are about, by asking their cluster for as little as it takes.

What it means is decided in `rules.workloads`; here it is looked up, and remembered for one job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Decision, Outcome, Reason
from rules.errors import Permanent, Transient
from rules.workloads.answers import CannotTell
from rules.workloads.claims import read_claims
from rules.workloads.finding import find_workloads
from rules.workloads.labels import named_by_labels, own_namespace
from rules.workloads.named import PodNamed
from workers.kubernetes.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.targets import Found
    from rules.workloads.claims import Claims
    from workers.kubernetes.access import Cluster

FEW_PODS = 4
"""So many pods of a namespace are asked for one by one; of more, all are listed in one call."""

_MAY_PASS = frozenset({Reason.FORBIDDEN, Reason.UNAUTHORIZED, Reason.CERTIFICATE, Reason.TARGET_MISCONFIGURED})
"""Barred by how the cluster or the way to it is set up, which has nothing to do with what the alert says."""


class KubernetesFinder:
    """Finds workloads for one job. `clusters` reaches a cluster by its name, which is one of `names`."""

    def __init__(self, clusters: Callable[[str], Cluster], names: Sequence[str]) -> None:
        self._clusters = clusters
        self._names = tuple(names)
        self._looking: dict[str, Looking] = {}
        self._counted: set[tuple[str, str]] = set()

    def find(self, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
        """Return the workloads that the alert is about and the rule selects, or the decision that says why none.

        Raises `Transient` where it cannot be seen now, also for want of a right or of credentials: somebody may
        give them any moment, and the alert is still there. What else bars the way is a hold.
        """
        try:
            claims = read_claims(rule, alert, self._names)
            looking = self._look(claims, (alert, *siblings))
            return find_workloads(rule, alert, siblings, claims, looking)
        except CannotTell as answer:
            return (), answer.decision
        except Permanent as error:
            if error.reason in _MAY_PASS:
                raise Transient(error.reason, str(error)) from error
            return (), Decision(Outcome.HOLD, error.reason, str(error))

    def close(self) -> None:
        """Let go of all connections."""
        for looking in self._looking.values():
            looking.close()
        self._looking.clear()
        self._counted.clear()

    def _look(self, claims: Claims, alerts: Iterable[Alert]) -> Looking:
        """Look at the cluster; where a notification names many pods of one namespace, at all of them at once."""
        if claims.cluster not in self._looking:
            self._looking[claims.cluster] = Looking(self._clusters(claims.cluster))
        looking = self._looking[claims.cluster]
        place = (claims.cluster, claims.namespace)
        if place not in self._counted and any(isinstance(claim, PodNamed) for claim in claims.named):
            self._counted.add(place)
            if len(_pods_of(alerts, claims.namespace)) > FEW_PODS:
                looking.look_at_all_pods(claims.namespace)
        return looking


def _pods_of(alerts: Iterable[Alert], namespace: str) -> set[str]:
    """Name the pods that these alerts name in a namespace, of whichever cluster."""
    names: set[str] = set()
    for alert in alerts:
        try:
            if own_namespace(alert) == namespace:
                names.update(c.name for c in named_by_labels(alert, namespace) if isinstance(c, PodNamed))
        except CannotTell:
            continue
    return names
