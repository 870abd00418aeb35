"""How it is seen that going back helped, as a model of its YAML."""

from __future__ import annotations

import typing
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, WrapValidator

from rules.limits import Condition
from rules.reading.fieldtypes import DURATION_PATTERN, Duration, Section, SomeTime, one_of, reads, say
from rules.reading.quantities import Promql, condition
from rules.reading.wording import near_miss
from rules.rule import Check, OnIneffective, Verify
from rules.rulewriting import AUTO

if typing.TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler

_DURATION_OR_AUTO = DURATION_PATTERN.replace("^(", f"^({AUTO}|")


def _or_auto(value: Any, handler: ValidatorFunctionWrapHandler) -> float | None:
    if value == AUTO:
        return None
    if isinstance(value, str) and near_miss(value, [AUTO]):
        say(f"`{value}` is no duration; did you mean `{AUTO}`?")
    return float(handler(value))


class CheckModel(Section):
    """What PromQL must say after the change."""

    promql: Annotated[Promql, Field(description="The query; every sample of its answer must satisfy `is`.")]
    is_: Annotated[
        Condition,
        reads(condition),
        Field(description='A comparison with a number, like "> 0".'),
        WithJsonSchema({"type": "string", "pattern": r"^(<=|>=|==|!=|<|>)\s*-?[0-9]"}),
    ]
    for_: Annotated[Duration, Field(description="For how long it must have been so, without a break.")] = 0.0

    def read(self) -> Check:
        """Return it as the rest of the project sees it."""
        return Check(self.promql, self.is_, self.for_)


class VerifyModel(Section):
    """How it is seen that going back helped."""

    healthy_within: Annotated[SomeTime, Field(description="How long the instance may take to be healthy.")] = 300.0
    steady: Annotated[Duration, Field(description="How long it must stay healthy.")] = 10.0
    cleared_within: Annotated[
        SomeTime | None,
        WrapValidator(_or_auto),
        Field(description="How long the alert may take to be gone; auto: as long as its alerting rule needs."),
        WithJsonSchema(
            {"type": "string", "pattern": DURATION_PATTERN.replace("^(", f"^({AUTO}|"), "minLength": 1}
        ),
    ] = None
    check: Annotated[
        list[CheckModel],
        Field(default_factory=list, description="What PromQL must say after the change, beside the alert's end."),
    ]
    on_ineffective: Annotated[
        OnIneffective,
        one_of(OnIneffective),
        Field(description="What becomes of a change that did not help: it stays, or what was there comes back."),
        WithJsonSchema({"enum": [word.value for word in OnIneffective]}),
    ] = OnIneffective.HOLD

    def read(self) -> Verify:
        """Return it as the rest of the project sees it."""
        return Verify(
            self.healthy_within,
            self.steady,
            self.cleared_within,
            tuple(one.read() for one in self.check),
            self.on_ineffective,
        )
