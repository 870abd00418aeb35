"""The policy that binds every rule, as a model of its YAML: a section of the settings, and of a file of facts.

Keys are written with hyphens or underscores, as everywhere in the settings; numbers may be text, as in a variable.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from rules.limits import NO_POLICY, Limits, Policy, StormBrake
from rules.reading.fieldtypes import AnyOf, Duration, SomeTime, Text, one_of, reads, say
from rules.reading.quantities import count
from rules.reading.windowmodels import WindowModel
from rules.reading.wording import near_miss
from rules.rule import Mode


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _snake(value: Any) -> Any:
    """Take hyphens in keys for underscores; the names that people gave stand one level below."""
    return {key.replace("-", "_"): inner for key, inner in value.items()} if isinstance(value, dict) else value


def _number(value: Any) -> int:
    return count(int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value)


def _both_spellings(schema: dict[str, Any]) -> None:
    named = schema["properties"].items()
    schema["properties"] = {spelt: part for key, part in named for spelt in sorted({key.replace("_", "-"), key})}


_COUNT_SCHEMA = WithJsonSchema({"type": "integer", "minimum": 1})
_SOME_NAMES = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})


class PolicySection(BaseModel):
    """One mapping of the policy."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_both_spellings)

    @model_validator(mode="before")
    @classmethod
    def _either_spelling(cls, value: Any) -> Any:
        return _snake(value)


class PolicyLimits(PolicySection):
    """How many campaigns of all rules together may start; either may be left out."""

    per_hour: Annotated[int | None, reads(_number), _COUNT_SCHEMA] = None
    per_day: Annotated[int | None, reads(_number), _COUNT_SCHEMA] = None

    @model_validator(mode="after")
    def _fit(self) -> PolicyLimits:
        if self.per_hour is None and self.per_day is None:
            say("`per-hour` or `per-day` is missing; write one, or leave `limits` out")
        if self.per_hour is not None and self.per_day is not None and self.per_day < self.per_hour:
            say(f"`per-day` is {self.per_day}, less than `per-hour`, {self.per_hour}; make it at least as much")
        return self

    def read(self) -> Limits:
        """Return it as the rest of the project sees it; an hour's limit alone does not bind the day."""
        if self.per_day is None:
            return Limits(self.per_hour or 1, 24 * (self.per_hour or 1))
        return Limits(min(self.per_hour or self.per_day, self.per_day), self.per_day)


class PolicyStorm(PolicySection):
    """When so many services are troubled that it cannot be one release."""

    services: Annotated[int, reads(_number), _COUNT_SCHEMA] = StormBrake().services
    within: SomeTime = StormBrake().within_s

    def read(self) -> StormBrake:
        """Return it as the rest of the project sees it."""
        return StormBrake(self.services, self.within)


class PolicyModel(PolicySection):
    """What binds every rule; a rule may be stricter, never looser."""

    mode: Annotated[Mode, one_of(Mode), WithJsonSchema({"enum": list(Mode)})] = Mode(NO_POLICY.ceiling)
    freeze: Annotated[dict[Text, WindowModel], Field(default_factory=dict)]
    freeze_always: Annotated[list[Text], BeforeValidator(_listed), Field(default_factory=list), _SOME_NAMES]
    limits: PolicyLimits | None = None
    storm: PolicyStorm = PolicyStorm()
    opt_in: Annotated[dict[Text, AnyOf], Field(default_factory=dict)]
    asks_for: SomeTime = NO_POLICY.asks_for_s
    good_after: Duration = NO_POLICY.good_after_s

    @field_validator("freeze_always", mode="after")
    @classmethod
    def _are_windows(cls, names: list[str], info: ValidationInfo) -> list[str]:
        windows: dict[str, WindowModel] | None = info.data.get("freeze")
        for name in names:
            if windows is not None and name not in windows:
                say(f"there is no window `{name}` under `freeze`{near_miss(name, windows) or '; define it there'}")
        return names

    def read(self) -> Policy:
        """Return it as the rest of the project sees it."""
        return Policy(
            ceiling=self.mode.value,
            windows={name: window.read(name) for name, window in self.freeze.items()},
            freeze=tuple(self.freeze_always),
            limits=None if self.limits is None else self.limits.read(),
            storm=self.storm.read(),
            opt_in={label: tuple(values) for label, values in self.opt_in.items()},
            asks_for_s=self.asks_for,
            good_after_s=self.good_after,
        )
