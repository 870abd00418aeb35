"""A test file, rules-test/v1: alerts, what is known besides, and what each rule has to say then."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from rules.decisions import Outcome, Reason
from rules.reading.alertmodels import AlertModel
from rules.reading.factfields import FactSection, Names
from rules.reading.fieldtypes import Prose, Text, one_of, say


def _brief(value: Any) -> Any:
    """Take `refuse predates-release` for an outcome and its reason."""
    if not isinstance(value, str):
        return value
    words = value.split()
    if len(words) not in (1, 2):
        return say("write an outcome, or an outcome and a reason, like `refuse predates-release`")
    return dict(zip(("outcome", "reason"), words, strict=False))


class Expectation(FactSection):
    """What one rule has to say. What is left out is not looked at."""

    outcome: Annotated[
        Outcome | None,
        one_of(Outcome),
        WithJsonSchema({"enum": [one.value for one in Outcome]}),
        Field(description="roll-back, ask, observe, hold, refuse or no-match."),
    ] = None
    reason: Annotated[
        Reason | None, one_of(Reason), WithJsonSchema({"type": "string"}), Field(description="The one reason.")
    ] = None
    instances: Annotated[
        dict[str, Text | None] | None,
        Field(description="INSTANCE: RELEASE for every instance that is meant; null where it does not go back."),
    ] = None
    says: Annotated[Text | None, Field(description="Words that the detail must hold.")] = None


Expected = dict[Text, Annotated[Expectation, BeforeValidator(_brief)]]


def _each(value: Any) -> Any:
    """Take what is expected of the first alert alone."""
    return [value] if isinstance(value, dict) else value


class TestModel(FactSection):
    """One test."""

    __test__ = False  # pytest: this is no test of ours

    name: Annotated[Text, Field(description="What it shows.")]
    description: Annotated[Prose, Field(description="Why the answer is right.")] = ""
    alert: Annotated[AlertModel | None, Field(description="The alert.")] = None
    alerts: Annotated[list[AlertModel], Field(default_factory=list, description="Several, of one notification.")]
    payload: Annotated[Text | None, Field(description="A file with a notification, in place of both.")] = None
    truncated: Annotated[int, Field(ge=0, description="How many alerts the notification left out.")] = 0
    facts: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
        Field(description="What is known besides: a facts file, or what would stand in one."),
    ] = None
    expect: Annotated[
        list[Expected],
        BeforeValidator(_each),
        WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}),
        Field(min_length=1, description="By rule; a list has one for each alert, without it the first is meant."),
    ]


class TestFileModel(FactSection):
    """The whole file."""

    __test__ = False

    version: Literal["rules-test/v1"]
    rules: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array"}, {"type": "object"}]}),
        Field(description="Rule files, beside this one; or what would stand in one."),
    ]
    inventory: Annotated[
        Any,
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
        Field(description="The inventory, beside this file; or what would stand in one."),
    ] = None
    clusters: Annotated[Names, Field(default_factory=list, description="The configured clusters.")]
    defaults: Annotated[
        dict[str, Any], Field(default_factory=dict, description="What every test inherits, key by key.")
    ]
    tests: Annotated[list[Any], Field(min_length=1, description="The tests.")]
