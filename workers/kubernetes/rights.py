"""What we have to be allowed in a cluster, and what for.

The one table behind the Role we ask for, its documentation, and the messages that say which line of it is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Right:
    """One line of the Role, and what it is for. Without an optional one something is left out; the rest works.

    A `wide` one is asked for in all namespaces at once: in a Role it would give nothing, so a ClusterRole has it.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    optional: bool = False
    wide: bool = False

    @property
    def line(self) -> str:
        """The line as it stands in a Role."""
        return (
            f"- {{apiGroups: {_listed([self.group])}, resources: {_listed(self.resources)}, "
            f"verbs: {_listed(self.verbs)}}}"
        )


RIGHTS: tuple[Right, ...] = (
    Right(
        "apps",
        ("deployments", "statefulsets", "daemonsets"),
        ("get", "list", "patch"),
        "to find the workload an alert means, to see what it runs, and to take it back",
    ),
    Right(
        "apps",
        ("replicasets",),
        ("get", "list"),
        "the history of a Deployment; and from a pod to the Deployment that owns it",
    ),
    Right("apps", ("controllerrevisions",), ("list",), "the history of a StatefulSet or a DaemonSet"),
    Right(
        "",
        ("pods",),
        ("get", "list", "delete"),
        "which images really run and whether they are ready; a StatefulSet's pod that is stuck on the bad release "
        "is deleted, and only by its uid",
    ),
    Right(
        "",
        ("services",),
        ("list",),
        "only for `scale-to-zero`: is somebody left to serve?",
        optional=True,
    ),
    Right(
        "keda.sh",
        ("scaledobjects",),
        ("list",),
        "only for `scale-to-zero`, with or without KEDA installed: does KEDA own the count?",
        optional=True,
    ),
    Right("", ("pods/log",), ("get",), "the last lines of failing pods, kept as evidence", optional=True),
    Right(
        "",
        ("events",),
        ("list", "create"),
        "events about failing pods, kept as evidence; an event on the workload says what was done, by which rule",
        optional=True,
    ),
)

_FOR_PAUSING = "only for `gitops: pause`: to read who keeps a workload, to pause it, and to let it go on"
PAUSING: tuple[Right, ...] = (
    Right("argoproj.io", ("applications",), ("get", "patch"), _FOR_PAUSING, optional=True),
    Right(
        "argoproj.io",
        ("applications",),
        ("list",),
        "only for `gitops: pause`, and only in a ClusterRole: to find an Application whose namespace the "
        "workload's marks do not say; without it, that one is looked for in `argocd` alone",
        optional=True,
        wide=True,
    ),
    Right("kustomize.toolkit.fluxcd.io", ("kustomizations",), ("get", "patch"), _FOR_PAUSING, optional=True),
    Right("helm.toolkit.fluxcd.io", ("helmreleases",), ("get", "patch"), _FOR_PAUSING, optional=True),
)
"""What is needed besides where a rule says `gitops: pause`, and nowhere else."""


def right_for(verb: str, group: str, resource: str) -> Right:
    """Find the line that grants this; for what the table does not know, the line it would be."""
    for right in (*RIGHTS, *PAUSING):
        if right.group == group and resource in right.resources and verb in right.verbs:
            return right
    return Right(group, (resource,), (verb,), "asked for by a version of Kubernetes we do not know")


def rules_of_role(rights: Iterable[Right] = RIGHTS) -> str:
    """Write the `rules:` of a Role or ClusterRole, each line with what it is for."""
    return "\n".join(f"  {right.line}" for right in rights)


def table(rights: Iterable[Right] = RIGHTS) -> str:
    """Write the table for the documentation."""
    return "\n".join(("| may | on | needed | for |", "|---|---|---|---|", *_rows(rights)))


def _rows(rights: Iterable[Right]) -> Iterator[str]:
    for right in rights:
        suffix = f".{right.group}" if right.group else ""
        resources = ", ".join(f"`{resource}{suffix}`" for resource in right.resources)
        needed = "optional" if right.optional else "yes"
        yield f"| {', '.join(right.verbs)} | {resources} | {needed} | {right.why} |"


def _listed(words: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"
