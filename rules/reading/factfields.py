"""What a facts file holds in many places: moments, names that may be one or several, keys in any spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from rules.durations import DurationError, parse_duration, write_duration
from rules.notifications import parse_timestamp
from rules.reading.fieldtypes import Prose, Section, Text, kebab, reads, say
from rules.reading.yamlnodes import Unclear

_RELATIVE = re.compile(r"([-+]?)\s*([0-9].*?)(\s+ago)?")
_NO_ZONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+)?")


def _spellings(name: str) -> AliasChoices:
    """Take a key as our files write it, as Python and as JSON do: what is translated comes in all three."""
    first, *rest = name.rstrip("_").split("_")
    return AliasChoices(*dict.fromkeys([kebab(name), name.rstrip("_"), first + "".join(map(str.title, rest))]))


class FactSection(Section):
    """One mapping of a facts file. Its keys may be written `like-this`, `like_this` or `likeThis`."""

    model_config = ConfigDict(alias_generator=AliasGenerator(alias=kebab, validation_alias=_spellings))

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, value: Any) -> Any:
        """Take null for what is not known: that is what programs write."""
        return {key: v for key, v in value.items() if v is not None} if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: fixed, or so far from now."""

    ms: int
    relative: bool = False

    def at(self, now_ms: int) -> int:
        """Return it in milliseconds since the epoch."""
        return now_ms + self.ms if self.relative else self.ms


def _moment(value: Any) -> Moment:
    written = value.text if isinstance(value, Unclear) else value
    if not isinstance(written, str):
        return say("write a time, like 2026-11-21T03:00:00Z, or one from now, like -30m")
    if written.strip() == "now":
        return Moment(0, relative=True)
    if (fixed := parse_timestamp(re.sub(r"^([0-9-]{10}) ", r"\1T", written.strip()))) is not None:
        return Moment(fixed)
    if _NO_ZONE.fullmatch(written.strip()):
        say(f"`{written}` has no time zone, or is no whole time; write it like 2026-11-21T03:00:00Z")
    return _from_now(written.strip())


def _from_now(written: str) -> Moment:
    found = _RELATIVE.fullmatch(written)
    if found is None or not (found[1] or found[3]):
        say(f"`{written}` is no time; write one like 2026-11-21T03:00:00Z, or one from now, like -30m or +2h")
    try:
        seconds = parse_duration(found[2])
    except DurationError as error:
        return say(f"{error} (a time from now is like -30m or +2h)")
    sign = 1 if found[1] == "+" and not found[3] else -1
    return Moment(round(sign * seconds * 1000), relative=True)


def written_moment(value: Moment) -> str:
    """Return the text that is read as this moment, where it is relative to now."""
    return f"{'-' if value.ms < 0 else '+'}{write_duration(abs(value.ms) / 1000)}"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | dict) else [value]


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """Reads a value after `change`, which takes what `schema` describes beside what the type does."""

    change: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.change, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [dict(self.schema), handler(schema)]}


unknown = Either(lambda value: None if value == "unknown" else value, {"const": "unknown"})
"""Takes the word `unknown` for what is left out."""


def short(key: str) -> Either:
    """Take a single value in place of a mapping that has this one key."""
    return Either(
        lambda value: value if isinstance(value, list | dict | None) else {key: value}, {"type": "string"}
    )


def instead(change: Callable[[Any], Any], **schema: Any) -> Either:
    """Take what `schema` describes too, and what `change` makes of it."""
    return Either(change, schema)


Time = Annotated[
    Moment,
    reads(_moment),
    WithJsonSchema({"type": "string", "description": "RFC 3339, or from now: -30m, +2h, now"}),
]
"""A time: RFC 3339, or so far from now."""

Maybe = Annotated[bool | None, unknown]
"""True, false or unknown."""

Names = Annotated[
    list[Text],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One name, or several."""

Labels = Annotated[dict[str, Prose], Field(description="Labels, by name.")]
