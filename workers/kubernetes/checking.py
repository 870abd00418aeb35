"""Whether a cluster can be asked, and whether we may do there what we are for; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rules.errors import RollbackError
from rules.findings import Finding, Level, from_message, warns, well, wrong
from workers.kubernetes.rights import RIGHTS, Right

if TYPE_CHECKING:
    from workers.kubernetes.access import Cluster

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_NAMESPACES_MOST = 5
_SEE = "Correct its entry under `clusters:` in the settings; docs/how-to/kubernetes.md has the whole of it."


def check_cluster(cluster: Cluster) -> tuple[Finding, ...]:
    """Say whether it answers, and which lines of the Role are missing in the namespaces that we look at."""
    try:
        return tuple(_about_rights(cluster))
    except RollbackError as e:
        return (from_message(Level.WRONG, f"{cluster.name}: {e}", _SEE),)


def _about_rights(cluster: Cluster) -> Iterator[Finding]:
    places = cluster.namespaces[:_NAMESPACES_MOST] or ("",)
    whole = True
    for right in RIGHTS:
        lacking = [place for place in places if not _may(cluster, right, place)]
        if lacking:
            whole = False
            yield _missing(cluster, right, lacking)
    if whole:
        where = "every namespace" if places == ("",) else ", ".join(places)
        yield well(f"{cluster.name} answers, and we may do what we are for in {where}.")


def _missing(cluster: Cluster, right: Right, places: list[str]) -> Finding:
    where = "" if places == [""] else f" in {', '.join(places)}"
    what = f"{cluster.name}: we lack a right{where}, {right.why}."
    say = warns if right.optional else wrong
    return say(what, f"Add to our Role: `{right.line.removeprefix('- ')}`.")


def _may(cluster: Cluster, right: Right, namespace: str) -> bool:
    return all(
        _allowed(cluster, verb, right.group, resource, namespace)
        for resource in right.resources
        for verb in right.verbs
    )


def _allowed(cluster: Cluster, verb: str, group: str, resource: str, namespace: str) -> bool:
    name, _, subresource = resource.partition("/")
    about = {"verb": verb, "group": group, "resource": name, "subresource": subresource, "namespace": namespace}
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in about.items() if value}},
    }
    return bool((cluster.create(_REVIEWS, asked).get("status") or {}).get("allowed"))
