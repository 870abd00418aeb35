"""What keeps a rule from acting, as models of its YAML."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, WrapValidator, model_validator

from rules.limits import Affected, CausedByRelease, Compare, Condition, Guards, Limits, Requirement
from rules.reading.fieldtypes import Duration, Section, SomeTime, Text, checked, one_of, reads, say
from rules.reading.quantities import Count, Promql, Share, SomeShare, condition, times, wrong_label
from rules.reading.yamlnodes import Unclear
from rules.rule import Gitops
from rules.rulewriting import OFF

if typing.TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

USUAL = Guards()


class CompareModel(Section):
    """Old against new, in PromQL."""

    by: Annotated[
        Text,
        checked(wrong_label),
        Field(description="The label of the answer that names the release, like version."),
    ]
    query: Annotated[Promql, Field(description="How bad each release is: one sample for each value of `by`.")]
    at_least: Annotated[
        float,
        reads(times),
        Field(description="How many times as bad as every other the running release must be."),
        WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?x$", "default": "2x"}),
    ] = 2.0

    def read(self) -> Compare:
        """Return it as the rest of the project sees it."""
        return Compare(self.by, self.query, self.at_least)


class CausedByReleaseModel(Section):
    """The release arrived before the trouble began, and not long before."""

    within: Annotated[SomeTime, Field(description="How long before the trouble it may have arrived.")] = 7200.0
    skew: Annotated[Duration, Field(description="By how much clocks may differ.")] = 120.0
    compare: Annotated[
        CompareModel | None, Field(description="How bad the running release is beside the others.")
    ] = None

    def read(self) -> CausedByRelease:
        """Return it as the rest of the project sees it."""
        return CausedByRelease(self.within, self.skew, None if self.compare is None else self.compare.read())


def _or_off(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    """Read a mapping, or `off`; YAML readers disagree about the bare word, and here it can only mean one thing."""
    word = value.text if isinstance(value, Unclear) else value
    if isinstance(word, (str, bool)):
        return OFF if word == OFF else say("write a mapping like {within: 2h}, or off")
    return value if isinstance(value, CausedByReleaseModel) else CausedByReleaseModel.model_validate(value)


class LimitsModel(Section):
    """How many campaigns may start."""

    per_hour: Annotated[Count, Field(description="In any hour.")] = USUAL.limits.per_hour
    per_day: Annotated[Count, Field(description="In any 24 hours.")] = USUAL.limits.per_day

    @model_validator(mode="after")
    def _fit(self) -> LimitsModel:
        if self.per_day < self.per_hour and "per_hour" in self.model_fields_set:
            unsaid = "" if "per_day" in self.model_fields_set else " where it is not said"
            say(
                f"`per-day` is {self.per_day}{unsaid}, less than `per-hour`, which is {self.per_hour}; "
                "make it at least as much"
            )
        return self

    def read(self) -> Limits:
        """Return it as the rest of the project sees it; a day's limit alone binds each of its hours."""
        return Limits(min(self.per_hour, self.per_day), self.per_day)


class AffectedModel(Section):
    """How much of a service one campaign may touch."""

    max_: Annotated[Count, Field(description="Instances at most.")] = USUAL.affected.max
    max_share: Annotated[
        SomeShare, Field(description="Share of the service at most, rounded down; one is always allowed.")
    ] = USUAL.affected.max_share
    min_healthy: Annotated[Share, Field(description="Share of the service that must be healthy all the time.")] = (
        USUAL.affected.min_healthy
    )

    def read(self) -> Affected:
        """Return it as the rest of the project sees it."""
        return Affected(self.max_, self.max_share, self.min_healthy)


class GuardsModel(Section):
    """What keeps a rule from acting."""

    caused_by_release: Annotated[
        CausedByReleaseModel | Literal["off"],
        WrapValidator(_or_off),
        Field(description="The release must be the cause: it came before the trouble, and not long before."),
    ] = CausedByReleaseModel()
    cooldown: Annotated[
        Duration, Field(description="How long an instance is left alone after it went back; 0s is not at all.")
    ] = USUAL.cooldown_s
    limits: Annotated[LimitsModel, Field(description="How many campaigns may start.")] = LimitsModel()
    affected: Annotated[AffectedModel, Field(description="How much of a service may be touched.")] = (
        AffectedModel()
    )
    freeze: Annotated[
        list[Text], Field(default_factory=list, description="Freeze windows of the settings' policy, by name.")
    ]
    gitops: Annotated[
        Gitops,
        one_of(Gitops),
        Field(description="What is done about a workload that a GitOps controller keeps as it wants it."),
        WithJsonSchema({"enum": [word.value for word in Gitops]}),
    ] = Gitops.REFUSE

    def read(self) -> Guards:
        """Return it as the rest of the project sees it, but for `gitops`."""
        caused = self.caused_by_release
        return Guards(
            None if isinstance(caused, str) else caused.read(),
            self.cooldown,
            self.limits.read(),
            self.affected.read(),
            tuple(self.freeze),
        )


class RequirementModel(Section):
    """What PromQL must say before the first change."""

    name: Annotated[Text, Field(description="What it is, for people.")]
    promql: Annotated[Promql, Field(description="The query; every sample of its answer must satisfy `is`.")]
    is_: Annotated[
        Condition,
        reads(condition),
        Field(description='A comparison with a number, like "< 30".'),
        WithJsonSchema({"type": "string", "pattern": r"^(<=|>=|==|!=|<|>)\s*-?[0-9]"}),
    ]

    def read(self) -> Requirement:
        """Return it as the rest of the project sees it."""
        return Requirement(self.name, self.promql, self.is_)
