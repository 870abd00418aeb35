"""Which alerts and which instances a rule is about, as models of its YAML."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from rules.matchers import Matcher
from rules.reading.fieldtypes import (
    INCOMPLETE,
    AnyOf,
    Duration,
    MatcherText,
    Section,
    SomeTime,
    TemplateText,
    Text,
    say,
)
from rules.reading.kubernetesmodels import KubernetesModel
from rules.rule import HostsTarget, Signal, Target, When

if TYPE_CHECKING:
    from collections.abc import Mapping


def _some_matchers(value: list[tuple[Matcher, ...]]) -> list[tuple[Matcher, ...]]:
    return value or say("there is no matcher here; a rule that is about every alert must say so")


Matchers = Annotated[list[MatcherText], AfterValidator(_some_matchers), Field(json_schema_extra={"minItems": 1})]


class MatchersModel(Section):
    """One list of matchers, all of which must hold."""

    matchers: Annotated[Matchers, Field(description="Matchers in Alertmanager's syntax; all must hold.")]

    def flat(self) -> tuple[Matcher, ...]:
        """Return the matchers of all entries in one list."""
        return tuple(matcher for entry in self.matchers for matcher in entry)


class UnlessModel(MatchersModel):
    """Another alert; while it fires, it is the cause."""

    equal: Annotated[
        list[Text],
        Field(default_factory=list, description="Labels whose values must be the same in both alerts."),
    ]

    def read(self) -> Signal:
        """Return it as the rest of the project sees it."""
        return Signal(self.flat(), tuple(self.equal))


class AlsoModel(UnlessModel):
    """Another alert that must fire besides."""

    within: Annotated[
        SomeTime | None, Field(description="How far apart the two may begin. Without it: both only have to fire.")
    ] = None

    def read(self) -> Signal:
        """Return it as the rest of the project sees it."""
        return Signal(self.flat(), tuple(self.equal), self.within)


class WhenModel(Section):
    """Which alerts the rule is about."""

    matchers: Annotated[
        Matchers | None, Field(description="Matchers in Alertmanager's syntax; all must hold.")
    ] = None
    any_: Annotated[
        list[MatchersModel] | None,
        Field(min_length=1, description="Lists of matchers; at least one list must hold, beside `matchers`."),
    ] = None
    unless: Annotated[
        UnlessModel | None, Field(description="Not while this fires: it is the cause. As in inhibit_rules.")
    ] = None
    also: Annotated[AlsoModel | None, Field(description="Only while this fires too: a second signal.")] = None
    for_: Annotated[Duration, Field(description="How long the trouble must go on before anything is done.")] = 0.0
    alert_for: Annotated[
        Duration | None,
        Field(description="The `for` of the alerting rule, where Prometheus cannot tell when the trouble began."),
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> WhenModel:
        if self.matchers is None and self.any_ is None:
            say("`matchers` is missing; a rule must say which alerts it is about", INCOMPLETE)
        return self

    def read(self) -> When:
        """Return it as the rest of the project sees it."""
        flat = tuple(matcher for entry in self.matchers or [] for matcher in entry)
        return When(
            flat,
            tuple(one.flat() for one in self.any_ or []),
            unless=self.unless.read() if self.unless else None,
            also=self.also.read() if self.also else None,
            for_s=self.for_,
            alert_for_s=self.alert_for,
        )


class HostsModel(Section):
    """Services on hosts of the inventory."""

    instance: Annotated[
        TemplateText | None,
        Field(description="The host the alert names: name, address, address:port, or its own `instance`. "
              "Without it: every host of the service."),
    ] = None  # fmt: skip


class TargetModel(Section):
    """Which instances the rule is about."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["hosts", "kubernetes"]}})

    hosts: Annotated[HostsModel | None, Field(description="Services on hosts of the inventory.")] = None
    kubernetes: Annotated[KubernetesModel | None, Field(description="Workloads of a Kubernetes cluster.")] = None
    service: Annotated[
        TemplateText | None,
        Field(description="The service. Without it: the host's only one, or what labels say."),
    ] = None
    only: Annotated[
        dict[Text, AnyOf],
        Field(
            default_factory=dict,
            description="Labels the instance must carry, whatever the alert says; a list means any of.",
        ),
    ]
    except_: Annotated[
        dict[Text, AnyOf],
        Field(default_factory=dict, description="Labels the instance must not carry; a list means none of."),
    ]
    running: Annotated[
        TemplateText | None, Field(description="Only instances that run this release right now.")
    ] = None
    arrived_within: Annotated[
        SomeTime | None,
        Field(description="Only instances to which a release came so lately: the suspects."),
    ] = None

    @model_validator(mode="after")
    def _names_a_kind(self) -> TargetModel:
        if self.hosts is None and self.kubernetes is None:
            say(
                "`hosts` or `kubernetes` is missing: say what is rolled back; "
                "add `hosts: {instance: …}` or `kubernetes: {}`",
                INCOMPLETE,
            )
        return self

    def read(self) -> Target:
        """Return it as the rest of the project sees it."""
        return Target(
            hosts=None if self.hosts is None else HostsTarget(self.hosts.instance),
            kubernetes=None if self.kubernetes is None else self.kubernetes.read(),
            service=self.service,
            only=_frozen(self.only),
            except_=_frozen(self.except_),
            running=self.running,
            arrived_within_s=self.arrived_within,
        )


def _frozen(values: Mapping[str, list[str]]) -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({label: tuple(wanted) for label, wanted in values.items()})
