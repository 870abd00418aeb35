"""The facts file, facts/v1: everything besides rules, inventory and notification that a decision may rest on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from rules.facts import MemberState
from rules.reading.factfields import FactSection, Labels, Moment, Names, Time, short, unknown
from rules.reading.fieldtypes import Prose, Text, one_of, say
from rules.reading.instancefacts import InstanceFacts, ReleaseList
from rules.reading.policymodels import PolicyModel
from rules.reading.releasefacts import MarkFacts


def _switched(key: str) -> BeforeValidator:
    """Take a name, or a bare `true`, in place of a mapping; `false` is nothing."""

    def read(value: Any) -> Any:
        if isinstance(value, bool):
            return {key: "somebody"} if value else None
        return {key: value} if isinstance(value, str) else value

    return BeforeValidator(read)


class LockFacts(FactSection):
    """Somebody deploys this service now."""

    by: Annotated[Prose, Field(description="Who.")] = "somebody"
    why: Annotated[Prose, Field(description="Why.")] = ""
    until: Annotated[Time | None, Field(description="Until when; without it, until it is given back.")] = None


def _pointer(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


class ServiceFacts(FactSection):
    """A service: its catalogue, and who deploys it now."""

    releases: Annotated[
        ReleaseList,
        Field(default_factory=list, description="What is registered, with marks; the order means nothing."),
    ]
    known_good: Annotated[
        Names, Field(default_factory=list, description="Releases marked known-good, everywhere.")
    ]
    known_bad: Annotated[Names, Field(default_factory=list, description="Releases marked known-bad, everywhere.")]
    suspect: Annotated[Names, Field(default_factory=list, description="Releases marked suspect, everywhere.")]
    marks: Annotated[
        list[MarkFacts],
        Field(default_factory=list, description="Further marks, with author, reason and environment."),
    ]
    stable: Annotated[
        dict[str, Text],
        BeforeValidator(_pointer),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
        Field(
            default_factory=dict, description="The release declared stable: a name, or one for each environment."
        ),
    ]
    lock: Annotated[LockFacts | None, _switched("by"), Field(description="The deploy lock: who holds it.")] = None
    environment: Annotated[Prose | None, Field(description="Of its instances, where they say none.")] = None


class OtherAlertFacts(FactSection):
    """An open alert beside those of the notification."""

    labels: Annotated[Labels, Field(description="All of its labels.")]
    annotations: Annotated[Labels, Field(default_factory=dict, description="Its annotations.")]
    instances: Annotated[
        Names | None, Field(description="Which instances it is about; without it, what its labels lead to.")
    ] = None
    since: Annotated[
        Time,
        Field(
            validation_alias=AliasChoices("since", "starts-at", "starts_at", "startsAt", "onset"),
            description="When its trouble began.",
        ),
    ] = Moment(0, relative=True)
    heard: Annotated[Time, Field(description="When it was last heard.")] = Moment(0, relative=True)
    fingerprint: Annotated[Prose, Field(description="Alertmanager's hash of it.")] = ""


class PastRollback(FactSection):
    """A rollback that a rule began: it counts for limits, for the cooldown of its instances, and for marks."""

    rule: Annotated[Text, Field(description="Which rule.")]
    service: Annotated[Text | None, Field(description="Which service; else that of its instances.")] = None
    environment: Annotated[Prose | None, Field(description="Which environment; else that of its instances.")] = (
        None
    )
    at: Annotated[Time, Field(description="When it began.")]
    release: Annotated[Text | None, Field(description="The bad release that was left.")] = None
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


def _pauses(value: Any) -> Any:
    """Take one pause, or a bare `true`, for a list of one."""
    if isinstance(value, bool):
        return [{}] if value else []
    return [value] if isinstance(value, dict | str) else value


class DemotionFacts(FactSection):
    """A rule that may only ask."""

    why: Annotated[Prose, Field(description="Why.")] = "its last rollback did not help"
    at: Annotated[Time, Field(description="Since when.")] = Moment(0, relative=True)
    rollback: Annotated[Prose, Field(description="The rollback that showed it.")] = ""


def _keyed(value: Any) -> Any:
    """Take a name or a list of names for a mapping of them."""
    names = [value] if isinstance(value, str) else value
    return (
        {name: {} for name in names}
        if isinstance(names, list) and all(isinstance(n, str) for n in names)
        else value
    )


def _stormy(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    return (
        dict.fromkeys(names, "now")
        if isinstance(names, list) and all(isinstance(n, str) for n in names)
        else value
    )


class SampleFacts(FactSection):
    """One sample of an answer."""

    labels: Annotated[Labels, Field(default_factory=dict, description="Its labels.")]
    value: Annotated[float, Field(description="Its value.")]


def _samples(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [{"value": float(value)}]
    if isinstance(value, list):
        return [_floated(one) for one in value]
    return value


def _floated(one: Any) -> Any:
    if isinstance(one, dict) and isinstance(one.get("value"), int) and not isinstance(one["value"], bool):
        return {**one, "value": float(one["value"])}
    return {"value": float(one)} if isinstance(one, int | float) and not isinstance(one, bool) else one


def _onsets(value: Any) -> Any:
    return value if isinstance(value, dict) else {"": value}


class PrometheusFacts(FactSection):
    """What Prometheus says. Without this section nobody can ask it."""

    reachable: Annotated[bool, Field(description="Whether it answers.")] = True
    onset: Annotated[
        dict[str, Time],
        BeforeValidator(_onsets),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
        Field(
            default_factory=dict,
            description="Since when the expression holds: a time, or by fingerprint or alertname.",
        ),
    ]
    queries: Annotated[
        dict[str, Annotated[list[SampleFacts] | None, BeforeValidator(_samples), unknown]],
        Field(
            default_factory=dict,
            description="By query, or by the name of a requirement: a number, [{labels, value}], or unknown.",
        ),
    ]


class AlertmanagerFacts(FactSection):
    """What Alertmanager's API says. Without this section nobody can ask it."""

    complete: Annotated[bool, Field(description="Whether `alerts` and the notification are all that fires.")] = (
        True
    )


class FactsModel(FactSection):
    """A facts file."""

    version: Annotated[Literal["facts/v1"], Field(description="Always facts/v1.")] = "facts/v1"
    now: Annotated[
        Time | None, Field(description="The moment of the decision; else the newest time that anything says.")
    ] = None
    environment: Annotated[Prose, Field(description="Of every instance that says none.")] = ""
    clusters: Annotated[
        Names, Field(default_factory=list, description="Configured clusters, beside those that instances name.")
    ]
    policy: Annotated[PolicyModel | None, Field(description="As in the settings.")] = None
    services: Annotated[dict[str, ServiceFacts], Field(default_factory=dict, description="By name.")]
    instances: Annotated[
        dict[str, InstanceFacts],
        Field(
            default_factory=dict,
            description="By id, or by what is left of it where it is clear: `web2`, `shop/deployment/web`.",
        ),
    ]
    alerts: Annotated[
        list[OtherAlertFacts],
        Field(default_factory=list, description="Open alerts beside those of the notification."),
    ]
    rollbacks: Annotated[
        list[PastRollback], Field(default_factory=list, description="What rules rolled back before.")
    ]
    campaigns: Annotated[list[CampaignFacts], Field(default_factory=list, description="Campaigns under way.")]
    pauses: Annotated[
        list[Annotated[PauseFacts, short("scope")]],
        BeforeValidator(_pauses),
        Field(
            default_factory=list,
            validation_alias=AliasChoices("pauses", "paused", "pause"),
            description="What a person stopped.",
        ),
    ]
    demoted: Annotated[
        dict[str, Annotated[DemotionFacts, short("why")]],
        BeforeValidator(_keyed),
        Field(default_factory=dict, description="Rules that may only ask: names, or NAME: why."),
    ]
    storm: Annotated[
        dict[str, Time],
        BeforeValidator(_stormy),
        Field(
            default_factory=dict,
            description="Services with matched alerts lately, and when: beside those of the notification.",
        ),
    ]
    prometheus: Annotated[PrometheusFacts | None, Field(description="What Prometheus says.")] = None
    alertmanager: Annotated[AlertmanagerFacts | None, Field(description="What Alertmanager's API says.")] = None

    @field_validator("now", mode="after")
    @classmethod
    def _now_is_fixed(cls, value: Moment | None) -> Moment | None:
        if value is not None and value.relative:
            say("`now` is what other times are told from; write it like 2026-11-21T03:00:00Z, or leave it out")
        return value
