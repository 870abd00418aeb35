"""Finds the workloads a person means: what can be told from the words alone here, the rest by a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from controller.web.refusals import Refusal, unavailable
from rules.decisions import Reason
from rules.instances import read_instance
from rules.targets import Located
from rules.workloads.by_hand import Wanted, name_workload
from rules.workloads.names import wrong_label_value, wrong_namespace

if TYPE_CHECKING:
    from controller.web.inputs import RollbackAsked
    from controller.web.planning import Planning
    from rules.instances import WorkloadInstance

_FIELDS = {
    Reason.SERVICE_UNKNOWN: "service",
    Reason.NOT_SELECTED: "only",
    Reason.LABELS_CONTRADICT: "only",
    Reason.INSTANCE_AMBIGUOUS: "namespace",
    Reason.WORKLOAD_UNKNOWN: "instances",
}


def select_workloads(
    asked: RollbackAsked, clusters: Mapping[str, Sequence[str]], planning: Planning
) -> tuple[Located, ...]:
    """Return the workloads that are meant. `clusters` maps the configured ones to their namespaces.

    Raises a `Refusal`: 422 for what names nothing, or more than one place; 503 where no worker can tell.
    """
    wanted = Wanted(
        _checked(asked.service, "service"),
        _named(asked, clusters),
        None if asked.only is None else {label: _listed(values) for label, values in asked.only.items()},
        _cluster(asked.cluster or "", clusters),
        _namespace(asked.namespace or ""),
    )
    answer = planning.ask({"find": wanted.write()})
    if refusal := answer.get("refusal"):
        if refusal["passes"]:
            raise unavailable(str(refusal["detail"]))
        raise Refusal(422, str(refusal["detail"]), field=_FIELDS.get(refusal["reason"]))
    return tuple(Located(read_instance(ident), asked.service) for ident in answer["found"])


def _named(asked: RollbackAsked, clusters: Mapping[str, Sequence[str]]) -> tuple[WorkloadInstance, ...]:
    try:
        return tuple(
            name_workload(word, cluster=asked.cluster or "", namespace=asked.namespace or "", clusters=clusters)
            for word in asked.instances or ()
        )
    except ValueError as error:
        raise Refusal(422, str(error), field="instances") from error


def _cluster(name: str, clusters: Mapping[str, Sequence[str]]) -> str:
    if name and name not in clusters:
        known = ", ".join(sorted(clusters)) or "none"
        raise Refusal(422, f"the settings have no cluster {name!r}; they have: {known}", field="cluster")
    return name


def _namespace(name: str) -> str:
    if name and (wrong := wrong_namespace(name)):
        raise Refusal(422, wrong, field="namespace")
    return name


def _checked(service: str, field: str) -> str:
    if wrong := wrong_label_value(service):
        raise Refusal(422, wrong, field=field)
    return service


def _listed(values: str | list[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)
