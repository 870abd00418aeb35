"""Reading the owner that a workload's marks name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes import paths
from workers.kubernetes.failures import Forbidden, NotFound
from workers.kubernetes.gitops.claims import keeps, require_free, require_keeps
from workers.kubernetes.gitops.kinds import KINDS
from workers.kubernetes.gitops.naming import Named, owned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rules.instances import WorkloadInstance
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.gitops.kinds import OwnerKind
    from workers.kubernetes.marks import Json

ARGO_NAMESPACE = "argocd"
"""Where an Application is looked for that does not say where it lives, if we may not list them all."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner as it was read, and the path that leads to it."""

    named: Named
    path: str
    found: Json


def find_owner(cluster: Cluster, named: Named, instance: WorkloadInstance) -> Owner:
    """Read the owner; raises `Permanent` unless it is there, keeps the workload, and nobody keeps it."""
    version = _version(cluster, named.kind)
    candidates = _candidates(cluster, named, version)
    if len(candidates) > 1:  # several of that name: the one that knows of the workload
        candidates = [one for one in candidates if keeps(named, one, instance)]
    if not candidates:
        raise owned(f"{named} keeps {instance.label} and is not in this cluster, so it cannot be paused from here")
    if len(candidates) > 1:
        raise owned(f"{len(candidates)} of the name {named} say that they keep {instance.label}")
    (found,) = candidates
    metadata = found["metadata"]
    exact = Named(named.kind, metadata["namespace"], metadata["name"])
    require_keeps(exact, found, instance)
    require_free(exact, found)
    path = paths.custom(named.kind.group, version, named.kind.plural, exact.namespace, exact.name)
    return Owner(exact, path, found)


def path_of(values: Mapping[str, Any]) -> str:
    """Return the path of an owner that was noted down; raises `Permanent` unless it leads to just that owner.

    It comes from Redis, and is asked for with our own credentials.
    """
    path, kind = str(values["path"]), KINDS.get(str(values["kind"]))
    namespace, name = str(values["namespace"]), str(values["name"])
    versions = kind.versions if kind else ()
    if kind is None or path not in {paths.custom(kind.group, v, kind.plural, namespace, name) for v in versions}:
        message = f"what is noted of the owner {name[:80]!a} does not lead to it: nothing was asked for"
        raise Permanent(Reason.RECORD_UNREADABLE, f"{message}; see who writes into Redis")
    return path


def require_gone(cluster: Cluster, kind: OwnerKind, path: str) -> None:
    """Raise `Permanent` where an owner is not found only because its kind is served in other versions by now."""
    served = _served(cluster, kind)
    if served and not any(path.startswith(f"/apis/{kind.group}/{version}/") for version in served):
        message = f"{kind.name} is served in other versions now ({', '.join(sorted(served))}): resume it by hand"
        raise Permanent(Reason.GITOPS_OWNED, message)


def _version(cluster: Cluster, kind: OwnerKind) -> str:
    served = _served(cluster, kind)
    for version in kind.versions:
        if version in served:
            return version
    raise owned(f"this cluster serves no {kind.name} ({kind.group}) in a version that is known here")


def _served(cluster: Cluster, kind: OwnerKind) -> set[str]:
    try:
        group = cluster.get(paths.api_group(kind.group))
    except NotFound:
        return set()
    return {str(version.get("version")) for version in group.get("versions") or ()}


def _candidates(cluster: Cluster, named: Named, version: str) -> Sequence[Json]:
    group, plural = named.kind.group, named.kind.plural
    if named.namespace:
        return _read(cluster, paths.custom(group, version, plural, named.namespace, named.name))
    paths.custom(group, version, plural, ARGO_NAMESPACE, named.name)  # raises for what is no name
    everywhere = paths.custom(group, version, plural, None, None)
    try:
        return list(cluster.list(everywhere, fieldSelector=f"metadata.name={named.name}")["items"])
    except Forbidden as error:
        found = _read(cluster, paths.custom(group, version, plural, ARGO_NAMESPACE, named.name))
        if not found:
            why = f"{named} keeps this and is not in {ARGO_NAMESPACE}, and elsewhere we may not look for it"
            raise owned(f"{why}: {error}") from error
        return found


def _read(cluster: Cluster, path: str) -> Sequence[Json]:
    try:
        return [cluster.get(path)]
    except NotFound:
        return []
