"""Paths of the Kubernetes API, from parts that are checked first. Pure.

Names come from alerts, and alerts from strangers. A part that is no legal name raises
`Permanent(label-illegal)`, so nothing else than the object that was meant can be asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind

if TYPE_CHECKING:
    from rules.instances import WorkloadInstance

_PLURAL = {
    WorkloadKind.DEPLOYMENT: "deployments",
    WorkloadKind.STATEFULSET: "statefulsets",
    WorkloadKind.DAEMONSET: "daemonsets",
}
_CORE = "/api/v1"
_APPS = "/apis/apps/v1"
_KEDA = "/apis/keda.sh/v1alpha1"

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Resource(NamedTuple):
    """What a path leads to, in the words of a Role. `namespace` and `name` are None where it leads to all."""

    group: str
    resource: str
    namespace: str | None
    name: str | None

    def __str__(self) -> str:
        """Name it for people."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        named = f"{kind} {self.name}" if self.name else kind
        return f"{named} in namespace {self.namespace}" if self.namespace else named


def workload(instance: WorkloadInstance) -> str:
    """Lead to one workload."""
    return _within(_APPS, _PLURAL[instance.kind], instance.namespace, instance.name)


def workloads(kind: WorkloadKind, namespace: str | None) -> str:
    """Lead to the workloads of one kind; `namespace` None means every one, here and below."""
    return _within(_APPS, _PLURAL[kind], namespace)


def replicasets(namespace: str | None, name: str | None = None) -> str:
    """Lead to ReplicaSets, or to one."""
    return _within(_APPS, "replicasets", namespace, name)


def controllerrevisions(namespace: str | None, name: str | None = None) -> str:
    """Lead to ControllerRevisions, or to one."""
    return _within(_APPS, "controllerrevisions", namespace, name)


def pods(namespace: str | None, name: str | None = None) -> str:
    """Lead to pods, or to one."""
    return _within(_CORE, "pods", namespace, name)


def pod_log(namespace: str, name: str) -> str:
    """Lead to the log of one pod; which container, and how much of it, are questions of the query."""
    return _within(_CORE, "pods", namespace, name) + "/log"


def events(namespace: str | None, name: str | None = None) -> str:
    """Lead to events, or to one."""
    return _within(_CORE, "events", namespace, name)


def services(namespace: str | None, name: str | None = None) -> str:
    """Lead to Services, or to one."""
    return _within(_CORE, "services", namespace, name)


def scaledobjects(namespace: str | None, name: str | None = None) -> str:
    """Lead to KEDA's ScaledObjects; where KEDA is not installed this is not found."""
    return _within(_KEDA, "scaledobjects", namespace, name)


def api_group(group: str) -> str:
    """Lead to what the server says of a group: which versions it serves."""
    return f"/apis/{_checked(_SUBDOMAIN, group, 'an API group')}"


def custom(group: str, version: str, plural: str, namespace: str | None, name: str | None) -> str:
    """Lead to objects of a kind that is not Kubernetes' own, or to one; group, version and plural are ours."""
    return _within(f"/apis/{group}/{version}", plural, namespace, name)


def read_path(path: str) -> Resource:
    """Say what one of these paths leads to; a subresource is part of the resource, as in `pods/log`."""
    head, *parts = path.strip("/").split("/")
    group = "" if head == "api" else parts.pop(0) if parts else ""
    parts = parts[1:]  # the version
    namespace = None
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    kind, name, *below = [*parts, None, None][: max(2, len(parts))]
    return Resource(group, "/".join(part for part in (kind, *below) if part), namespace, name)


def _within(api: str, plural: str, namespace: str | None, name: str | None = None) -> str:
    inside = "" if namespace is None else f"/namespaces/{_namespace(namespace)}"
    return f"{api}{inside}/{plural}" + ("" if name is None else f"/{_name(name, plural)}")


def _namespace(name: str) -> str:
    return _checked(_LABEL, name, "namespace")


def _name(name: str, plural: str) -> str:
    if plural == "services":
        return _checked(_LABEL, name, "service")
    if len(name) > 253:
        raise _illegal(f"a name of {plural}", name)
    return _checked(_SUBDOMAIN, name, f"a name of {plural}")


def _checked(legal: re.Pattern[str], text: str, what: str) -> str:
    if not legal.fullmatch(text):
        raise _illegal(what, text)
    return text


def _illegal(what: str, text: str) -> Permanent:
    shown = ascii(text if len(text) <= 80 else text[:77] + "...")
    message = (
        f"{shown} cannot be {what} in Kubernetes, so nothing was asked for; correct the alert's label or the rule"
    )
    return Permanent(Reason.LABEL_ILLEGAL, message)
