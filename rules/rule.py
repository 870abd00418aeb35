"""A rule as the rest of the project sees it: read, checked, every default filled in, and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rules.limits import USUAL_GUARDS, USUAL_WAVES
from rules.rulewriting import digest_of, written
from rules.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.limits import Condition, Guards, Requirement, Waves
    from rules.matchers import Matcher
    from rules.templates import Template
    from rules.to import To

NO_LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Mode(StrEnum):
    """What a rule may do on its own, from the least to the most."""

    OBSERVE = "observe"
    ASK = "ask"
    """Send the plan, and wait for a person."""
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Signal:
    """Another alert that counts: it matches, and carries the same values as the judged one under `equal`."""

    matchers: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    within_s: float | None = None
    """How far apart the two may begin; None: both only have to fire."""

    def meant(self, judged: Mapping[str, str], other: Mapping[str, str]) -> bool:
        """Tell whether an alert with the labels `other` is the signal for one with the labels `judged`."""
        same = all(judged.get(label, "") == other.get(label, "") for label in self.equal)
        return same and all(matcher.matches(other) for matcher in self.matchers)


@dataclass(frozen=True, slots=True)
class When:
    """Which alerts a rule is about: all of `matchers` hold, and one list of `any_of` if there are any.

    `unless` fires: there is another cause. `also` must fire besides. `for_s` is how long the episode must go on;
    `alert_for_s` the `for` of the alerting rule, where Prometheus cannot be asked when the trouble began.
    """

    matchers: tuple[Matcher, ...] = ()
    any_of: tuple[tuple[Matcher, ...], ...] = ()
    unless: Signal | None = None
    also: Signal | None = None
    for_s: float = 0.0
    alert_for_s: float | None = None

    def alike(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert is of the same kind: what this asks of `alertname` holds, whatever else does not.

        Where nothing is asked of `alertname`, only what matches altogether is alike.
        """
        lists = [(*self.matchers, *matchers) for matchers in self.any_of] or [self.matchers]
        kinds = [[matcher for matcher in matchers if matcher.name == "alertname"] for matchers in lists]
        if not all(kinds):
            return self.matches(labels)
        return any(all(matcher.matches(labels) for matcher in kind) for kind in kinds)

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
    PAUSE = "pause"
    """Its owner is told to stop, until what it wants no longer names the bad release."""
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

    `arrived_within_s` takes, of what the alert could mean, the instances to which a release came so lately.
    `only` and `except_` map a label, of the inventory or of the pod template, to the values that are wanted, or
    not wanted.
    """

    hosts: HostsTarget | None = None
    service: Template | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    except_: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    running: Template | None = None
    kubernetes: KubernetesTarget | None = None
    arrived_within_s: float | None = None

    @property
    def scope(self) -> Scope:
        """What an instance must carry, whatever the alert says."""
        return Scope(self.only, self.except_)


class OnIneffective(StrEnum):
    """What becomes of a change that is shown not to have helped."""

    HOLD = "hold"
    """It stays as it is, and people are told."""
    UNDO = "undo"
    """What was there before is brought back, once."""


@dataclass(frozen=True, slots=True)
class Check:
    """What PromQL must say after the change: every sample satisfies `is_`, and did so for `for_s`."""

    promql: str
    is_: Condition
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Verify:
    """How long a change may take to be healthy, must stay so, and may take until the alert is gone.

    `cleared_within_s` None is `auto`: what the alert needs to drain, as Prometheus knows its rule.
    """

    healthy_within_s: float = 300.0
    steady_s: float = 10.0
    cleared_within_s: float | None = None
    checks: tuple[Check, ...] = ()
    on_ineffective: OnIneffective = OnIneffective.HOLD


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
    require: tuple[Requirement, ...] = ()
    guards: Guards = USUAL_GUARDS
    waves: Waves = USUAL_WAVES
    notify: tuple[str, ...] = ()
    verify: Verify = Verify()
    retry: Retry = Retry()
    source: str = field(default="", compare=False)
    digest: str = field(init=False, compare=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self))

    def expanded(self) -> dict[str, Any]:
        """Return the rule as it would be written with nothing left out, ready for JSON or YAML."""
        return written(self)
