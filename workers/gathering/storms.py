"""How many services are in trouble: workloads that alerts named, told by the services they belong to."""

from __future__ import annotations

from collections.abc import Mapping

from controller.ledger import Ledger
from rules.instances import WorkloadInstance, WorkloadKind, read_instance
from rules.limits import Policy


def by_service(ledger: Ledger, storm: Mapping[str, int], instance: str, policy: Policy) -> dict[str, int]:
    """Return what was counted, workloads of one service as that service.

    Before anybody looked, an alert that names nothing but a workload counts for that alone (`namespace/name`), and
    twelve canaries of one service would be a storm. Only where it may be one they are looked up, in the cluster of
    `instance`.
    """
    read = read_instance(instance)
    if len(storm) <= policy.storm.services or not isinstance(read, WorkloadInstance):
        return dict(storm)
    told: dict[str, int] = {}
    for word, at_ms in storm.items():
        service = _service(ledger, read.cluster, word)
        told[service] = max(told.get(service, 0), at_ms)
    return told


def _service(ledger: Ledger, cluster: str, word: str) -> str:
    """Return the service of a workload that the observer has seen; a word that names none stays as it is."""
    parts = word.split("/")
    if len(parts) != 2 or not all(parts):
        return word
    seen = (ledger.roster.get(WorkloadInstance(cluster, parts[0], kind, parts[1]).id) for kind in WorkloadKind)
    return next((entry.service for entry in seen if entry is not None), word)
