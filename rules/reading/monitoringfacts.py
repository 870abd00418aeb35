"""What a facts file says that Prometheus and Alertmanager say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from rules.reading.factfields import FactSection, Labels, Time, instead, unknown


class SampleFacts(FactSection):
    """One sample of an answer."""

    labels: Annotated[Labels, Field(default_factory=dict, description="Its labels.")]
    value: Annotated[float, Field(description="Its value; NaN and +Inf too.", allow_inf_nan=True)]


def _samples(value: Any) -> Any:
    if isinstance(value, list):
        return [_sample(one) for one in value]
    return [{"value": _number(value)}] if isinstance(_number(value), float) else value


def _sample(one: Any) -> Any:
    if isinstance(one, dict) and "value" in one:
        return {**one, "value": _number(one["value"])}
    return {"value": _number(one)} if isinstance(_number(one), float) else one


def _number(value: Any) -> Any:
    """Take numbers, and the words by which Prometheus writes what is none."""
    if isinstance(value, str):
        return float(value) if value in ("NaN", "+Inf", "-Inf") else value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


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
