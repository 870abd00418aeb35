"""What a facts file says that Prometheus and Alertmanager say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from rules.reading.factfields import FactSection, Labels, Time, instead, unknown


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
        dict[str, Annotated[list[SampleFacts] | None, instead(_samples, type="number"), unknown]],
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
