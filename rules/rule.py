"""A rule as the rest of the project sees it: read, checked, every default filled in, and frozen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from rules.durations import write_duration
from rules.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.matchers import Matcher
    from rules.templates import Template

NO_LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Mode(StrEnum):
    """What a rule may do on its own."""

    OBSERVE = "observe"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class When:
    """Which alerts a rule is about: all of `matchers` hold, and one list of `any_of` if there are any."""

    matchers: tuple[Matcher, ...] = ()
    any_of: tuple[tuple[Matcher, ...], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is meant."""
        if not all(matcher.matches(labels) for matcher in self.matchers):
            return False
        return not self.any_of or any(all(m.matches(labels) for m in matchers) for matchers in self.any_of)


class Restore(StrEnum):
    """What of a release is brought back."""

    AUTO = "auto"
    """The whole pod template; for `same-as` the images alone."""
    TEMPLATE = "template"
    IMAGES = "images"


class Pin(StrEnum):
    """Whether images are named by their digest where their tag may have moved."""

    AUTO = "auto"
    NEVER = "never"


class Gitops(StrEnum):
    """What is done about a workload that something else keeps as it wants it."""

    REFUSE = "refuse"
    FORCE = "force"


class Pods(StrEnum):
    """Which pods an alert may be about: only those of the newest revision, or any."""

    UPDATED = "updated"
    ANY = "any"


class WhenPaused(StrEnum):
    """What is done about a Deployment whose rollout is paused."""

    HOLD = "hold"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class HostsTarget:
    """Services on hosts. Without `instance` every host of the service is meant."""

    instance: Template | None = None


EVERY = "*"
"""As a namespace: every one of the cluster. Written on purpose only."""


@dataclass(frozen=True, slots=True)
class KubernetesTarget:
    """Workloads of a cluster: what the alert's labels name, or what `selector` selects.

    Without `namespace` the alert's own is meant. A `selector` holds labels of the pod template; an empty one
    selects every workload.
    """

    cluster: Template | None = None
    namespace: Template | None = None
    workload: Template | None = None
    selector: Mapping[str, str] | None = None
    pods: Pods = Pods.UPDATED
    when_paused: WhenPaused = WhenPaused.HOLD


@dataclass(frozen=True, slots=True)
class Target:
    """Which instances a rule is about, once an alert is: of `hosts` or of `kubernetes`, never both.

    `only` and `except_` map a label, of the inventory or of the pod template, to the values that are wanted, or
    not wanted.
    """

    hosts: HostsTarget | None = None
    service: Template | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    except_: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    running: Template | None = None
    kubernetes: KubernetesTarget | None = None

    @property
    def scope(self) -> Scope:
        """What an instance must carry, whatever the alert says."""
        return Scope(self.only, self.except_)


@dataclass(frozen=True, slots=True)
class Previous:
    """The newest release before the running one."""


@dataclass(frozen=True, slots=True)
class Version:
    """One release, by its name."""

    version: str


@dataclass(frozen=True, slots=True)
class SameAs:
    """The images that another workload of the service runs: the one whose pod template carries these labels."""

    labels: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ScaleToZero:
    """No pods at all, until a person scales it up again."""


To: TypeAlias = Previous | Version | SameAs | ScaleToZero


def to_word(entry: To) -> str:
    """Return the word by which people and `Observation.offers` know an entry of `to`."""
    match entry:
        case Version():
            return entry.version
        case SameAs():
            return "same-as " + " ".join(f"{label}={'|'.join(values)}" for label, values in entry.labels.items())
        case ScaleToZero():
            return "scale-to-zero"
        case _:
            return "previous"


def write_to(entry: To) -> str | dict[str, Any]:
    """Return an entry of `to` as a rule file and a record write it."""
    match entry:
        case Version():
            return {"version": entry.version}
        case SameAs():
            return {"same-as": {label: list(values) for label, values in entry.labels.items()}}
        case _:
            return to_word(entry)


def read_to(written: str | Mapping[str, Any]) -> To:
    """Read back what `write_to` wrote; raises ValueError for anything else."""
    match written:
        case "previous":
            return Previous()
        case "scale-to-zero":
            return ScaleToZero()
        case {"version": str(version)}:
            return Version(version)
        case {"same-as": dict(labels)}:
            return SameAs({label: _values(values) for label, values in labels.items()})
        case _:
            raise ValueError(f"{written!r} is no entry of `to`")


def _values(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


@dataclass(frozen=True, slots=True)
class Verify:
    """How long a change may take to be healthy, must stay so, and may take until the alert is gone."""

    healthy_within_s: float = 300.0
    steady_s: float = 10.0
    cleared_within_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a rollback is tried, and how long it waits in between."""

    attempts: int = 5
    initial_s: float = 2.0
    factor: float = 2.0
    max_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of a rule file. `source` is `file:line`, for people; it is no part of what the rule means."""

    name: str
    when: When
    target: Target
    to: tuple[To, ...]
    description: str = ""
    mode: Mode = Mode.OBSERVE
    restore: Restore = Restore.AUTO
    pin: Pin = Pin.AUTO
    gitops: Gitops = Gitops.REFUSE
    evidence_logs_s: float = 1800.0
    verify: Verify = Verify()
    retry: Retry = Retry()
    source: str = field(default="", compare=False)
    digest: str = field(init=False, compare=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self))

    def expanded(self) -> dict[str, Any]:
        """Return the rule as it would be written with nothing left out, ready for JSON or YAML."""
        return {
            "name": self.name,
            "description": self.description,
            "mode": self.mode.value,
            "when": _when(self.when),
            "target": _target(self.target),
            "to": [write_to(entry) for entry in self.to],
            **self._of_kubernetes(),
            "before": {"evidence": {"logs": write_duration(self.evidence_logs_s)}},
            "verify": {
                "healthy-within": write_duration(self.verify.healthy_within_s),
                "steady": write_duration(self.verify.steady_s),
                "cleared-within": write_duration(self.verify.cleared_within_s),
            },
            "retry": {
                "attempts": self.retry.attempts,
                "initial": write_duration(self.retry.initial_s),
                "factor": self.retry.factor,
                "max": write_duration(self.retry.max_s),
            },
        }

    def _of_kubernetes(self) -> dict[str, Any]:
        """Return what means nothing to hosts; a rule about them is written without it."""
        if self.target.kubernetes is None:
            return {}
        restore = {} if self.restore is Restore.AUTO else {"restore": self.restore.value}
        return {**restore, "pin": self.pin.value, "guards": {"gitops": self.gitops.value}}


def _when(when: When) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if when.matchers:
        written["matchers"] = [str(matcher) for matcher in when.matchers]
    if when.any_of:
        written["any"] = [{"matchers": [str(matcher) for matcher in matchers]} for matchers in when.any_of]
    return written


def _target(target: Target) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if target.hosts is not None:
        instance = target.hosts.instance
        written["hosts"] = {} if instance is None else {"instance": instance.text}
    if target.kubernetes is not None:
        written["kubernetes"] = _kubernetes(target.kubernetes)
    if target.service is not None:
        written["service"] = target.service.text
    if target.only:
        written["only"] = {label: list(values) for label, values in target.only.items()}
    if target.except_:
        written["except"] = {label: list(values) for label, values in target.except_.items()}
    if target.running is not None:
        written["running"] = target.running.text
    return written


def _kubernetes(target: KubernetesTarget) -> dict[str, Any]:
    texts = {"cluster": target.cluster, "namespace": target.namespace, "workload": target.workload}
    written: dict[str, Any] = {name: template.text for name, template in texts.items() if template is not None}
    if target.selector is not None:
        written["selector"] = dict(target.selector) or EVERY
    return {**written, "pods": target.pods.value, "when-paused": target.when_paused.value}


def _digest(rule: Rule) -> str:
    """Identify what the rule means, whatever its layout, the order of its lists and its description."""
    meaning = rule.expanded()
    del meaning["description"]
    meaning["when"] = {
        "matchers": sorted({str(matcher) for matcher in rule.when.matchers}),
        "any": sorted(sorted({str(matcher) for matcher in matchers}) for matchers in rule.when.any_of),
    }
    for choice in ("only", "except"):
        values = meaning["target"].get(choice, {})
        meaning["target"][choice] = {label: sorted(set(wanted)) for label, wanted in values.items()}
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
