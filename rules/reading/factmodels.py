"""The facts file, facts/v1: everything besides rules, inventory and notification that a decision may rest on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, WithJsonSchema, field_validator

from rules.reading.alertmodels import AlertModel
from rules.reading.factfields import Either, FactSection, Moment, Names, Time, instead, short
from rules.reading.fieldtypes import Prose, Text, say
from rules.reading.instancefacts import InstanceFacts, ReleaseList
from rules.reading.monitoringfacts import AlertmanagerFacts, PrometheusFacts
from rules.reading.policymodels import PolicyModel
from rules.reading.recordfacts import BreakerFacts, CampaignFacts, DemotionFacts, PastRollback, PauseFacts
from rules.reading.releasefacts import MarkFacts


def _switched(key: str) -> Either:
    """Take a name, or a bare `true`, in place of a mapping; `false` is nothing."""

    def read(value: Any) -> Any:
        if isinstance(value, bool):
            return {key: "somebody"} if value else None
        return {key: value} if isinstance(value, str) else value

    return instead(read, type=["string", "boolean"])


class LockFacts(FactSection):
    """Somebody deploys this service now."""

    by: Annotated[Prose, Field(description="Who.")] = "somebody"
    why: Annotated[Prose, Field(description="Why.")] = ""
    until: Annotated[Time | None, Field(description="Until when; without it, until it is given back.")] = None


def _marks(value: Any) -> Any:
    """Take RELEASE: MARK, or RELEASE: {mark, by, …}, for a list."""
    if not isinstance(value, dict):
        return value
    return [{"release": name, **(one if isinstance(one, dict) else {"mark": one})} for name, one in value.items()]


def _pointer(value: Any) -> Any:
    return {"": value} if isinstance(value, str) else value


class ServiceFacts(FactSection):
    """A service: its catalogue, and who deploys it now."""

    releases: Annotated[
        ReleaseList,
        Field(
            default_factory=list, description="What is registered, oldest first; what an instance has by default."
        ),
    ]
    known_good: Annotated[
        Names, Field(default_factory=list, description="Releases marked known-good, everywhere.")
    ]
    known_bad: Annotated[Names, Field(default_factory=list, description="Releases marked known-bad, everywhere.")]
    suspect: Annotated[Names, Field(default_factory=list, description="Releases marked suspect, everywhere.")]
    marks: Annotated[
        list[MarkFacts],
        instead(_marks, type="object"),
        Field(default_factory=list, description="Further marks: RELEASE: MARK, or a list with author and reason."),
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


class OtherAlertFacts(AlertModel):
    """An open alert beside those of the notification."""

    starts_at: Annotated[
        Time,
        Field(
            validation_alias=AliasChoices("since", "startsAt", "starts-at", "starts_at", "onset"),
            description="When its trouble began.",
        ),
    ] = Moment(0, relative=True)
    instances: Annotated[
        Names | None, Field(description="Which instances it is about; without it, what its labels lead to.")
    ] = None
    heard: Annotated[Time, Field(description="When it was last heard.")] = Moment(0, relative=True)


def _pauses(value: Any) -> Any:
    """Take one pause, or a bare `true`, for a list of one."""
    if isinstance(value, bool):
        return [{}] if value else []
    return [value] if isinstance(value, dict | str) else value


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
        instead(_pauses, type=["string", "boolean", "object"]),
        Field(
            default_factory=list,
            validation_alias=AliasChoices("pauses", "paused", "pause"),
            description="What a person stopped.",
        ),
    ]
    demoted: Annotated[
        dict[str, Annotated[DemotionFacts, short("why")]],
        instead(_keyed, type=["string", "array"]),
        Field(default_factory=dict, description="Rules that may only ask: names, or NAME: why."),
    ]
    breakers: Annotated[
        dict[str, Annotated[BreakerFacts, short("why")]],
        instead(_keyed, type=["string", "array"]),
        Field(default_factory=dict, description="Services whose loop-breaker is open: names, or NAME: why."),
    ]
    storm: Annotated[
        dict[str, Time],
        instead(_stormy, type=["string", "array"]),
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
