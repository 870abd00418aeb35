"""How a campaign grows, as a model of its YAML."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema, WrapValidator

from rules.limits import USUAL_WAVES, Waves
from rules.reading.fieldtypes import Section, reads, say, text
from rules.reading.quantities import SHARE_SCHEMA, share, some_share
from rules.reading.wording import near_miss

if TYPE_CHECKING:
    from pydantic import ValidatorFunctionWrapHandler


def _step(value: Any) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value > 0 else say("a wave takes at least one instance; write 1 or more")
    if isinstance(value, (float, bool)) or not isinstance(value, str):
        say("a wave is a number of instances or a share, like 1 or 50%")
    return some_share(share(value))


def _growing(steps: list[int | float]) -> list[int | float]:
    for one, other in pairwise(steps):
        if isinstance(one, float) and isinstance(other, int):
            say("a number of instances cannot follow a share; write the numbers first, as in [1, 50%, 100%]")
        if type(one) is type(other) and other <= one:
            say("waves are cumulative, so each must be larger than the one before, as in [1, 50%, 100%]")
    return steps


Step = Annotated[
    int | float,
    reads(_step),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, SHARE_SCHEMA.json_schema]}),
]
Steps = Annotated[
    list[Step],
    AfterValidator(_growing),
    Field(min_length=1),
]


def _by(value: Any) -> str:
    written = text(value)
    return written if written == "cluster" else say(f"waves go by cluster{near_miss(written, ['cluster'])}")


class WavesModel(Section):
    """How a campaign grows: each step when the one before is verified."""

    by: Annotated[
        str | None,
        reads(_by),
        Field(description="What is counted in place of instances: clusters."),
        WithJsonSchema({"enum": ["cluster"]}),
    ] = None
    steps: Annotated[
        Steps,
        Field(
            default_factory=lambda: list(USUAL_WAVES.steps),
            json_schema_extra={"default": [1, "50%", "100%"]},
            description="Cumulative sizes.",
        ),
    ]

    def read(self) -> Waves:
        """Return it as the rest of the project sees it."""
        return Waves(tuple(self.steps), self.by or "")


def _waves(value: Any, _: ValidatorFunctionWrapHandler) -> WavesModel:
    """Take a list of steps for the mapping that it is short for."""
    if isinstance(value, WavesModel):
        return value
    return WavesModel.model_validate({"steps": value} if isinstance(value, list) else value)


WavesField = Annotated[WavesModel | Steps, WrapValidator(_waves)]
"""What is read is a `WavesModel`."""
