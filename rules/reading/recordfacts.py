"""What a facts file says of the past and of people: rollbacks, campaigns, pauses, demoted rules, loop-breakers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema, model_validator

from rules.facts import MemberState
from rules.reading.factfields import FactSection, Moment, Names, Time
from rules.reading.fieldtypes import Prose, Text, one_of, say


class PastRollback(FactSection):
    """A rollback that a rule began: it counts for limits, for the cooldown of its instances, and for marks."""

    rule: Annotated[Text, Field(description="Which rule.")]
    service: Annotated[Text | None, Field(description="Which service; else that of its instances.")] = None
    environment: Annotated[Prose | None, Field(description="Which environment; else that of its instances.")] = (
        None
    )
    at: Annotated[Time, Field(description="When it began.")]
    release: Annotated[Text | None, Field(description="The bad release that was left.")] = None
    to: Annotated[Text | None, Field(description="The release that it went back to.")] = None
    instances: Annotated[
        Names,
        Field(
            default_factory=list,
            validation_alias=AliasChoices("instances", "instance"),
            description="What went back.",
        ),
    ]
    campaign: Annotated[Prose, Field(description="Its campaign's id; the same id counts once.")] = ""
    outcome: Annotated[
        Literal["recovered", "ineffective", "inconclusive", "failed", "verifying"] | None,
        Field(description="What came of it. `recovered` marks `release` as known-bad."),
    ] = None


class MemberFacts(FactSection):
    """One instance of a campaign."""

    instance: Annotated[Text, Field(description="Which.")]
    state: Annotated[
        MemberState,
        one_of(MemberState),
        WithJsonSchema({"enum": [state.value for state in MemberState]}),
        Field(description="waiting, started, recovered, not-recovered or left."),
    ]


def _members(value: Any) -> Any:
    if isinstance(value, dict):
        return [{"instance": instance, "state": state} for instance, state in value.items()]
    return value


class CampaignFacts(FactSection):
    """All rollbacks of one release of one service under one rule."""

    rule: Annotated[Text, Field(description="The rule that opened it.")]
    service: Annotated[Text | None, Field(description="Its service; else that of its members.")] = None
    environment: Annotated[Prose | None, Field(description="Its environment; else that of its members.")] = None
    release: Annotated[Text | None, Field(description="The release that goes; else whatever the members run.")] = (
        None
    )
    members: Annotated[
        list[MemberFacts],
        BeforeValidator(_members),
        WithJsonSchema({"type": "object", "additionalProperties": {"enum": [s.value for s in MemberState]}}),
        Field(description="INSTANCE: STATE, in the order in which they joined."),
    ]


class PauseFacts(FactSection):
    """A person stopped rules."""

    scope: Annotated[
        Prose, Field(description="`service NAME` or `rule NAME`; empty, or `everything`, is everywhere.")
    ] = ""
    by: Annotated[Prose, Field(description="Who.")] = "somebody"
    why: Annotated[Prose, Field(description="Why.")] = ""
    until: Annotated[Time | None, Field(description="Until when; without it, until it is resumed.")] = None

    @model_validator(mode="after")
    def _scope_is_known(self) -> PauseFacts:
        kind, _, name = self.scope.partition(" ")
        if self.scope not in ("", "everything") and not (kind in ("service", "rule") and name):
            say(f"`{self.scope}` is no scope; write `service NAME`, `rule NAME` or `everything`")
        return self


class DemotionFacts(FactSection):
    """A rule that may only ask."""

    why: Annotated[Prose, Field(description="Why.")] = "its last rollback did not help"
    at: Annotated[Time, Field(description="Since when.")] = Moment(0, relative=True)
    rollback: Annotated[Prose, Field(description="The rollback that showed it.")] = ""


class BreakerFacts(FactSection):
    """A service that rules leave alone, because going back went wrong again and again."""

    why: Annotated[Prose, Field(description="Why.")] = "2 rollbacks in a row did not help"
    at: Annotated[Time, Field(description="Since when.")] = Moment(0, relative=True)
    rollbacks: Annotated[Names, Field(default_factory=list, description="The rollbacks that went wrong.")]
