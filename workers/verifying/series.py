"""The series that an instance is told by: how its targets are labelled, now and before the change. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.instances import Instance, WorkloadInstance
from rules.promql import literally, quoted

_PODS = (("namespace", "pod"), ("namespace", "pod_name"), ("kubernetes_namespace", "kubernetes_pod_name"))
"""How Prometheus' configurations commonly call a target's namespace and pod."""
_BRACKET, _PORT = r"\[?", r"\]?(:[0-9]+)?"
"""An address of IPv6 stands in brackets, where a port follows."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What selects an instance's series: any of these sets of PromQL matchers."""

    matchers: tuple[str, ...]

    def up(self) -> str:
        """Return the query for its targets."""
        return " or ".join(f"up{{{one}}}" for one in self.matchers)

    def names(self, metrics: Iterable[str]) -> str:
        """Return the query for which of these metrics it has."""
        wanted = f"__name__=~{_any_of(sorted(metrics))}"
        return f"group by (__name__) ({' or '.join(f'{{{wanted}, {one}}}' for one in self.matchers)})"


def selection(instance: Instance, targets: Iterable[str]) -> Selection:
    """Select by what its targets are called now: words of the label `instance`, or the names of its pods."""
    if isinstance(instance, WorkloadInstance):
        return _pods(instance, _any_of(targets))
    return Selection((f"instance=~{_any_of(targets, before=_BRACKET, after=_PORT)}",))


def selection_before(instance: Instance, targets: Iterable[str]) -> Selection:
    """Select the same before the change: pods had other names then, which begin with their workload's."""
    if not isinstance(instance, WorkloadInstance):
        return selection(instance, targets)
    return _pods(instance, _any_of([instance.name], after="-.+"))


def _pods(instance: WorkloadInstance, names: str) -> Selection:
    where = quoted(instance.namespace)
    return Selection(tuple(f"{space}={where}, {pod}=~{names}" for space, pod in _PODS))


def _any_of(words: Iterable[str], *, before: str = "", after: str = "") -> str:
    return quoted(f"{before}({'|'.join(map(literally, words))}){after}")
