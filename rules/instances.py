"""The identity of an instance: the smallest thing that can be rolled back on its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

_HOSTS = "hosts"
_KUBERNETES = "kubernetes"


class WorkloadKind(StrEnum):
    """The kinds of Kubernetes workload that keep a history of their own."""

    DEPLOYMENT = "deployment"
    STATEFULSET = "statefulset"
    DAEMONSET = "daemonset"


@dataclass(frozen=True, slots=True)
class HostInstance:
    """One service on one host of one inventory. No part may be empty or hold a slash."""

    inventory: str
    service: str
    host: str

    def __post_init__(self) -> None:
        _check("an inventory, service or host", self.inventory, self.service, self.host)

    @property
    def id(self) -> str:
        """The identity in keys, plans and answers, like `hosts/default/shop/web2`."""
        return f"{_HOSTS}/{self.inventory}/{self.service}/{self.host}"

    @property
    def label(self) -> str:
        """The name for people, like `shop on web2`."""
        return f"{self.service} on {self.host}"


@dataclass(frozen=True, slots=True)
class WorkloadInstance:
    """One Deployment, StatefulSet or DaemonSet of one cluster. The cluster's name is the settings' own word."""

    cluster: str
    namespace: str
    kind: WorkloadKind
    name: str

    def __post_init__(self) -> None:
        _check("a cluster, namespace or workload", self.cluster, self.namespace, self.name)

    @property
    def id(self) -> str:
        """The identity in keys, plans and answers, like `kubernetes/eu/shop/deployment/web-canary`."""
        return f"{_KUBERNETES}/{self.cluster}/{self.namespace}/{self.kind}/{self.name}"

    @property
    def label(self) -> str:
        """The name for people, like `deployment web-canary in shop (cluster eu)`."""
        return f"{self.kind} {self.name} in {self.namespace} (cluster {self.cluster})"


Instance: TypeAlias = HostInstance | WorkloadInstance


def read_instance(text: str) -> Instance:
    """Read back what `id` wrote; raises ValueError for anything else."""
    kind, *parts = text.split("/")
    if kind == _HOSTS and len(parts) == 3:
        return HostInstance(*parts)
    if kind == _KUBERNETES and len(parts) == 4 and parts[2] in set(WorkloadKind):
        return WorkloadInstance(parts[0], parts[1], WorkloadKind(parts[2]), parts[3])
    raise ValueError(
        f"{text!r} is not an instance: write hosts/INVENTORY/SERVICE/HOST or "
        f"kubernetes/CLUSTER/NAMESPACE/KIND/NAME with one of {', '.join(WorkloadKind)} as the kind"
    )


def _check(what: str, *parts: str) -> None:
    for part in parts:
        if not part or "/" in part:
            raise ValueError(f"{part!r} cannot name {what}: it is empty or holds a slash")
