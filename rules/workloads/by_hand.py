"""Which workloads a person means: by name, by labels of their pods, or all of a service. Pure, over facts.

What a person leaves out is filled in only where there is one way to do so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadInstance, read_instance
from rules.scope import Scope
from rules.services import SERVICE_LABELS, service_said_by
from rules.targets import Located
from rules.workloads.names import KINDS, shortened, wrong_namespace, wrong_object_name

if TYPE_CHECKING:
    from rules.workloads.seen import WorkloadSeen

_MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Workloads of one service: those of `instances`, else those whose pods carry `only`, else all.

    `cluster` and `namespace` are empty where none was said.
    """

    service: str
    instances: tuple[WorkloadInstance, ...] = ()
    only: Mapping[str, tuple[str, ...]] | None = None
    cluster: str = ""
    namespace: str = ""

    def write(self) -> dict[str, object]:
        """Return it as JSON-able words."""
        return {
            "service": self.service,
            "instances": [instance.id for instance in self.instances],
            "only": None if self.only is None else {label: list(values) for label, values in self.only.items()},
            "cluster": self.cluster,
            "namespace": self.namespace,
        }

    @classmethod
    def read(cls, written: Mapping[str, object]) -> Wanted:
        """Read back what `write` wrote; raises ValueError for anything else."""
        match written:
            case {
                "service": str(service),
                "instances": list(ids),
                "cluster": str(cluster),
                "namespace": str(space),
            }:
                instances = tuple(i for one in ids if isinstance(i := read_instance(one), WorkloadInstance))
                only = written.get("only")
                labels = {k: tuple(v) for k, v in only.items()} if isinstance(only, dict) else None
                return cls(service, instances, labels, cluster, space)
            case _:
                raise ValueError(f"{written!r} does not say which workloads are wanted")


def name_workload(
    word: str, *, cluster: str, namespace: str, clusters: Mapping[str, Sequence[str]]
) -> WorkloadInstance:
    """Read `KIND/NAME` or a whole identity; raises ValueError with what to write instead.

    `clusters` maps the configured ones to the namespaces they are confined to.
    """
    if word.startswith("kubernetes/"):
        instance = read_instance(word)
        if not isinstance(instance, WorkloadInstance):
            raise ValueError(f"{shortened(word)} is no workload")
        for said, has in ((cluster, instance.cluster), (namespace, instance.namespace)):
            if said and said != has:
                raise ValueError(f"{word} is in {has}, and {said} was said as well: leave one of them out")
        return _checked(instance, clusters)
    kind, slash, name = word.partition("/")
    if not slash or kind.lower() not in KINDS:
        raise ValueError(
            f"{shortened(word)} names no workload: write KIND/NAME, as in deployment/web-canary, "
            f"with deployment, statefulset or daemonset as the kind"
        )
    cluster = cluster or one_cluster(clusters)
    namespace = namespace or _one_namespace(word, clusters.get(cluster, ()))
    return _checked(WorkloadInstance(cluster, namespace, KINDS[kind.lower()], name), clusters)


def one_cluster(clusters: Mapping[str, Sequence[str]]) -> str:
    """Return the only cluster there is; raises ValueError where there are several."""
    if len(clusters) == 1:
        return next(iter(clusters))
    raise ValueError(f"there are several clusters: say which one, {' or '.join(sorted(clusters))}")


def choose_workloads(wanted: Wanted, seen: Mapping[str, Sequence[WorkloadSeen]]) -> tuple[Located, ...]:
    """Choose among what each cluster has; raises `Permanent` where nothing, or not one place, is meant."""
    every = [(cluster, one) for cluster in sorted(seen) for one in _in_order(seen[cluster])]
    own = [(cluster, one) for cluster, one in every if service_of(one) == wanted.service]
    if not own:
        raise Permanent(Reason.SERVICE_UNKNOWN, _no_service(wanted, [one for _, one in every]))
    chosen = [(cluster, one) for cluster, one in own if _carries(one, wanted.only or {})]
    if not chosen:
        there = _listed([f"{one.words} ({_labels(one, wanted.only or {})})" for _, one in own])
        detail = f"no workload of {wanted.service} has a pod template with these labels; there is: {there}"
        raise Permanent(Reason.NOT_SELECTED, detail)
    places = {f"{one.namespace} (cluster {cluster})" for cluster, one in chosen}
    if len(places) > 1:
        detail = f"{wanted.service} is in several places: {_listed(sorted(places))}; say which namespace is meant"
        raise Permanent(Reason.INSTANCE_AMBIGUOUS, detail)
    return tuple(located(wanted.service, cluster, one) for cluster, one in chosen)


def located(service: str, cluster: str, workload: WorkloadSeen) -> Located:
    """Return a workload as an instance of a service; raises `Permanent` where its pods say another one."""
    said = service_of(workload)
    if said not in ("", service):
        detail = f"{workload.words} belongs to service {said}, by the labels of its pods, and not to {service}"
        raise Permanent(Reason.SERVICE_UNKNOWN, f"{detail}; name it as `rollbackctl rollback {said}`")
    return Located(WorkloadInstance(cluster, workload.namespace, workload.kind, workload.name), service)


def service_of(workload: WorkloadSeen) -> str:
    """Return the service that a workload's pods belong to by their labels; empty where they say none."""
    return service_said_by(workload.template_labels)


def _checked(instance: WorkloadInstance, clusters: Mapping[str, Sequence[str]]) -> WorkloadInstance:
    if instance.cluster not in clusters:
        raise ValueError(
            f"no cluster is called {shortened(instance.cluster)}; there is: {_listed(sorted(clusters))}"
        )
    for wrong in (wrong_namespace(instance.namespace), wrong_object_name(instance.name)):
        if wrong:
            raise ValueError(wrong)
    return instance


def _one_namespace(word: str, confined: Sequence[str]) -> str:
    if len(confined) == 1:
        return confined[0]
    raise ValueError(f"say which namespace {shortened(word)} is in")


def _in_order(workloads: Sequence[WorkloadSeen]) -> list[WorkloadSeen]:
    return sorted(workloads, key=lambda one: (one.namespace, one.kind, one.name))


def _carries(workload: WorkloadSeen, only: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the pods carry these labels; a workload that says otherwise of itself is refused."""
    pods, own, wanted = workload.template_labels, workload.labels, Scope(only, {})
    selected, itself = wanted.selects(pods), wanted.selects({**pods, **own})
    contradicted = next((label for label in only if label in own and own[label] != pods.get(label, "")), None)
    if (selected or itself) and contradicted is not None:
        detail = (
            f"{workload.words} is labelled {contradicted}={own[contradicted]}, and its pods "
            f"{contradicted}={pods.get(contradicted) or '(nothing)'}; make them agree, or name it by KIND/NAME"
        )
        raise Permanent(Reason.LABELS_CONTRADICT, detail)
    return selected


def _no_service(wanted: Wanted, workloads: Sequence[WorkloadSeen]) -> str:
    where = f"namespace {wanted.namespace}" if wanted.namespace else "the clusters"
    known = _listed(sorted({service_of(one) for one in workloads} - {""})) or "none"
    return (
        f"no workload of {where} belongs to service {wanted.service}, by a label {' or '.join(SERVICE_LABELS)} "
        f"of its pods; there is: {known}"
    )


def _labels(workload: WorkloadSeen, only: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{label}={workload.template_labels.get(label) or '(nothing)'}" for label in only)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
