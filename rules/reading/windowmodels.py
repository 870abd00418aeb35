"""A freeze window, as a model of its YAML: a recurrence with a duration, or hours of some days."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from rules.guards.calendar import Window, window
from rules.reading.fieldtypes import SomeTime, Text, reads, say, text
from rules.reading.wording import near_miss

_THEN = ("ask", "hold")
_DAYS_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})


def _listed(value: Any) -> Any:
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _then(value: Any) -> str:
    written = text(value)
    if written not in _THEN:
        say(f"`{written}` is not known here{near_miss(written, _THEN) or '; write ask or hold'}")
    return written


class WindowModel(BaseModel):
    """When a freeze holds, by the clocks of one time zone, and what becomes of rollbacks meanwhile."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    rrule: Text | None = None
    start: Text | None = None
    duration: SomeTime | None = None
    days: Annotated[list[Text], BeforeValidator(_listed), Field(default_factory=list), _DAYS_SCHEMA]
    from_: Annotated[Text | None, Field(alias="from")] = None
    to: Text | None = None
    timezone: Text
    then: Annotated[str, reads(_then), WithJsonSchema({"enum": list(_THEN)})] = "ask"

    @model_validator(mode="after")
    def _opens(self) -> WindowModel:
        try:
            self.read("")
        except ValueError as error:
            say(str(error))
        return self

    def read(self, name: str) -> Window:
        """Return the window as guards ask it; raises ValueError where its calendar makes no sense."""
        return window(
            name,
            timezone=self.timezone,
            rrule=self.rrule or "",
            start=self.start or "",
            duration_s=self.duration,
            days=tuple(self.days),
            from_=self.from_ or "",
            to=self.to or "",
            then=self.then,
        )
