"""From an alert to the instances a rule means, where what is live comes from what is known already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.instances import WorkloadInstance, WorkloadKind, read_instance
from rules.services import SERVICE_LABELS, service_said_by
from rules.targets import find_instances, keep_running
from rules.workloads.answers import CannotTell
from rules.workloads.claims import read_claims
from rules.workloads.finding import find_workloads
from rules.workloads.seen import Owner, PodSeen, ReplicaSetSeen, WorkloadSeen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.alerts import Alert
    from rules.rule import Rule
    from rules.targets import Found
    from rules.world import World

_HASH = "controller-revision-hash"
_NEWEST, _OLDER = "2", "1"


def find(world: World, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
    """Return the instances that the alert is about and the rule selects, or the decision that says why none."""
    if rule.target.kubernetes is None:
        located, problem = find_instances(rule, alert, world.inventory)
    else:
        located, problem = _workloads(world, rule, alert, siblings)
    if problem is not None:
        return (), problem
    running = {
        one.instance.id: known.running.value
        for one in located
        if (known := world.instances.get(one.instance.id)) is not None and known.running is not None
    }
    kept, refusal = keep_running(rule, alert, running)
    if refusal is not None and len(running) == len(located):
        return (), refusal
    return tuple(one for one in located if one.instance.id in kept or one.instance.id not in running), None


def _workloads(world: World, rule: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
    try:
        claims = read_claims(rule, alert, world.clusters or ("default",))
    except CannotTell as answer:
        return (), answer.decision
    return find_workloads(rule, alert, siblings, claims, _Known.of(world, claims.cluster))


@dataclass(frozen=True, slots=True)
class _Known:
    """One cluster, as it is known. A pod that nothing is said of belongs to the workload it is named after."""

    workloads_by_place: Mapping[tuple[str, str, str], WorkloadSeen]
    pods: Mapping[tuple[str, str], PodSeen]

    @classmethod
    def of(cls, world: World, cluster: str) -> _Known:
        workloads: dict[tuple[str, str, str], WorkloadSeen] = {}
        pods: dict[tuple[str, str], PodSeen] = {}
        for ident, known in world.instances.items():
            where = read_instance(ident)
            if not isinstance(where, WorkloadInstance) or where.cluster != cluster:
                continue
            labels = dict(known.labels)
            if known.service and service_said_by(labels) != known.service:
                labels[SERVICE_LABELS[0]] = known.service
            workloads[where.namespace, where.kind, where.name] = WorkloadSeen(
                where.namespace, where.kind, where.name, ident, {}, labels, _NEWEST
            )
            names = known.running.value if known.running is not None else ()
            for pod, release in world.pods.get(ident, {}).items():
                pods[where.namespace, pod] = _pod(where, ident, pod, newest=not release or release in names)
        return cls(workloads, pods)

    def pod(self, namespace: str, name: str) -> PodSeen | None:
        """Return a pod that is known, or make the one that its name says."""
        if (known := self.pods.get((namespace, name))) is not None:
            return known
        named = [one for one in self.workloads_by_place.values() if one.namespace == namespace]
        owners = [one for one in named if name.startswith(f"{one.name}-")]
        owner = max(owners, key=lambda one: len(one.name), default=None)
        if owner is None or any(found.owner and _leads_to(found, owner) for found in self.pods.values()):
            return None
        where = WorkloadInstance("_", owner.namespace, owner.kind, owner.name)
        return _pod(where, owner.uid, name, newest=True)

    def replica_set(self, namespace: str, name: str) -> ReplicaSetSeen | None:
        """Return the newest or the older ReplicaSet of a Deployment, or the one that its name says."""
        base, _, revision = name.rpartition("-")
        for owner in sorted(self._in(namespace), key=lambda one: -len(one.name)):
            if owner.kind is not WorkloadKind.DEPLOYMENT or not (
                base == owner.name or name.startswith(f"{owner.name}-")
            ):
                continue
            said = revision if revision in (_NEWEST, _OLDER) else _NEWEST
            whose = Owner("apps", "Deployment", owner.name, owner.uid)
            return ReplicaSetSeen(name, whose, f"{owner.uid}/{name}", said)
        return None

    def replica_sets(self, namespace: str) -> Sequence[ReplicaSetSeen]:
        """Say nothing of past revisions: facts name releases."""
        del namespace
        return ()

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadSeen | None:
        """Look at one workload."""
        return self.workloads_by_place.get((namespace, kind, name))

    def workloads(self, namespace: str | None, kinds: Sequence[WorkloadKind]) -> Sequence[WorkloadSeen]:
        """Look at all workloads of these kinds in a namespace; None means in every one."""
        return [w for w in self._in(namespace) if w.kind in kinds]

    def daemon_revision(self, daemon_set: WorkloadSeen) -> str:
        """Return what its updated pods carry."""
        return daemon_set.revision

    def _in(self, namespace: str | None) -> Iterator[WorkloadSeen]:
        return (one for one in self.workloads_by_place.values() if namespace in (None, one.namespace))


def _leads_to(pod: PodSeen, owner: WorkloadSeen) -> bool:
    return pod.uid.startswith(f"{owner.uid}/")


def _pod(where: WorkloadInstance, uid: str, name: str, *, newest: bool) -> PodSeen:
    revision = _NEWEST if newest else _OLDER
    if where.kind is WorkloadKind.DEPLOYMENT:
        replica_set = f"{where.name}-{revision}"
        owner = Owner("apps", "ReplicaSet", replica_set, f"{uid}/{replica_set}")
        return PodSeen(name, owner, {}, f"{uid}/{name}")
    kind = "StatefulSet" if where.kind is WorkloadKind.STATEFULSET else "DaemonSet"
    return PodSeen(name, Owner("apps", kind, where.name, uid), {_HASH: revision}, f"{uid}/{name}")
