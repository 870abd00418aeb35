"""A rule as the rest of the project sees it: read, checked, every default filled in, and frozen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rules.durations import write_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True, slots=True)
class HostsTarget:
    """Services on hosts. Without `instance` every host of the service is meant."""

    instance: Template | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Which instances a rule is about, once an alert is.

    `only` and `except_` map a label of the inventory to the values that are wanted, or not wanted.
    """

    hosts: HostsTarget
    service: Template | None = None
    only: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    except_: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_LABELS)
    running: Template | None = None


@dataclass(frozen=True, slots=True)
class Previous:
    """The newest release before the running one."""


@dataclass(frozen=True, slots=True)
class Version:
    """One release, by its name."""

    version: str


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
    to: tuple[Previous | Version, ...]
    description: str = ""
    mode: Mode = Mode.OBSERVE
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
            "to": [_to(entry) for entry in self.to],
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


def _when(when: When) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if when.matchers:
        written["matchers"] = [str(matcher) for matcher in when.matchers]
    if when.any_of:
        written["any"] = [{"matchers": [str(matcher) for matcher in matchers]} for matchers in when.any_of]
    return written


def _target(target: Target) -> dict[str, Any]:
    instance = target.hosts.instance
    written: dict[str, Any] = {"hosts": {} if instance is None else {"instance": instance.text}}
    if target.service is not None:
        written["service"] = target.service.text
    if target.only:
        written["only"] = {label: list(values) for label, values in target.only.items()}
    if target.except_:
        written["except"] = {label: list(values) for label, values in target.except_.items()}
    if target.running is not None:
        written["running"] = target.running.text
    return written


def _to(entry: Previous | Version) -> str | dict[str, str]:
    return "previous" if isinstance(entry, Previous) else {"version": entry.version}


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
