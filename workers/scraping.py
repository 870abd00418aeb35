"""What Prometheus says of instances: one answer for a whole sweep, looked up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.facts import Sample
    from rules.services import Host

UP = "up"
_NAMESPACES = ("namespace", "kubernetes_namespace")
_BUILD = ("version", "revision", "commit")
_PODS = ("pod", "kubernetes_pod_name", "pod_name")


@dataclass(frozen=True, slots=True)
class Scraped:
    """What `up` said of each target, by what its labels call it; one of several that is down counts as down."""

    instances: Mapping[str, bool] = field(default_factory=dict)
    pods: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    def of_words(self, words: Iterable[str]) -> bool | None:
        """Tell by what the label `instance` may say of a host, with or without a port; None where none does."""
        return _all(self.instances.get(word) for word in words)

    def of_pods(self, namespace: str, pods: Iterable[str]) -> bool | None:
        """Tell by a workload's pods; None where none of them is a target."""
        return _all(self.pods.get((namespace, pod)) for pod in pods)


def read_up(samples: Iterable[Sample]) -> Scraped:
    """Sort the answer to `up`."""
    instances: dict[str, bool] = {}
    pods: dict[tuple[str, str], bool] = {}
    for sample in samples:
        up, labels = sample.value == 1, sample.labels
        instance = labels.get("instance", "")
        for word in {instance, _without_port(instance)} - {""}:
            instances[word] = instances.get(word, True) and up
        namespace, pod = _first(labels, _NAMESPACES), _first(labels, _PODS)
        if pod:
            pods[namespace, pod] = pods.get((namespace, pod), True) and up
    return Scraped(instances, pods)


Built = Mapping[str, tuple[str, ...]]
"""What a metric of builds says, by what the label `instance` says, with and without a port."""


def read_builds(samples: Iterable[Sample]) -> Built:
    """Sort the answer to a metric such as `shop_build_info`; an instance of several builds tells none."""
    told: dict[str, set[tuple[str, ...]]] = {}
    for sample in samples:
        words = tuple(dict.fromkeys(sample.labels[name] for name in _BUILD if sample.labels.get(name)))
        instance = sample.labels.get("instance", "")
        for word in {instance, _without_port(instance)} - {""}:
            told.setdefault(word, set()).add(words)
    return {word: builds.pop() for word, builds in told.items() if len(builds) == 1}


def targets_of(host: Host) -> tuple[str, ...]:
    """Return what the label `instance` of a host's metrics may say: its own word, else its address or name."""
    return (host.instance,) if host.instance else tuple(dict.fromkeys((host.address, host.name)))


def _without_port(instance: str) -> str:
    host, colon, port = instance.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else instance


def _first(labels: Mapping[str, str], names: Iterable[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _all(told: Iterable[bool | None]) -> bool | None:
    known = [one for one in told if one is not None]
    return all(known) if known else None
