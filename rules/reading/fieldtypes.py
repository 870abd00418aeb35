"""The kinds of value that files hold: text, durations, templates, matchers. Each says what is wrong with one.

Every one refuses what is not text, so that nothing is converted silently. The place is found by
`rules.reading.modelerrors`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from rules.durations import DurationError, parse_duration
from rules.matchers import Matcher, MatcherError, parse_matchers
from rules.reading.wording import near_miss
from rules.templates import Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable

Word = TypeVar("Word", bound=StrEnum)

NOT_TEXT = "not_text"
MATCHER = "matcher"
SAID = "said"
INCOMPLETE = "incomplete"


def say(message: str, kind: str = SAID) -> NoReturn:
    """Refuse a value in words of our own."""
    raise PydanticCustomError(kind, "{message}", {"message": message})


def kebab(name: str) -> str:
    """Turn a field's name into the key that files use."""
    return name.rstrip("_").replace("_", "-")


class Section(BaseModel):
    """One mapping of a file: no key that it does not know, no value that is nearly right."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=kebab,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_left_out(cls, value: Any) -> Any:
        """Refuse a key without a value: it was forgotten, or meant to switch something off, and does neither."""
        return say("its value is missing; write one, or remove the key") if value is None else value


def text(value: Any) -> str:
    """Accept text and nothing else."""
    if isinstance(value, str):
        return value
    return say("write a text here", NOT_TEXT)


def _duration(value: Any) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        say(f"a duration needs a unit; write {value}s for seconds or {value}m for minutes")
    try:
        return parse_duration(text(value))
    except DurationError as error:
        return say(str(error))


def _above_zero(value: float) -> float:
    return value if value > 0 else say("this must be longer than 0s")


def _template(value: Any) -> Template:
    written = text(value)
    if not written.strip():
        say("this is empty; write a text, or leave the key out")
    try:
        return Template(written)
    except TemplateError as error:
        return say(str(error))


def _matchers(value: Any) -> tuple[Matcher, ...]:
    try:
        return parse_matchers(text(value))
    except MatcherError as error:
        return say(str(error), MATCHER)


def _literal(value: str) -> str:
    if "{{" in value:
        say("templates are not looked up here; write the value itself")
    return value


def _some(value: str) -> str:
    return value if value.strip() else say("this is empty; write a text, or leave the key out")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def one_of(kind: type[Word], *words: str) -> GetPydanticSchema:
    """Read one of these words, or of all of `kind`."""
    known = words or tuple(word.value for word in kind)

    def read(value: Any) -> Word:
        written = text(value)
        if written not in known:
            say(f"`{written}` is not known here{near_miss(written, known) or '; write ' + ' or '.join(known)}")
        return kind(written)

    return reads(read)


def reads(function: Callable[[Any], Any]) -> GetPydanticSchema:
    """Let a function alone read a value; pydantic does not look into the type that comes out."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.no_info_plain_validator_function(function))


def checked(check: Callable[[str], str | None]) -> AfterValidator:
    """Make a rule for a text out of a function that says what is wrong with it, or None."""

    def validate(value: str) -> str:
        wrong = check(value)
        return value if wrong is None else say(wrong)

    return AfterValidator(validate)


DURATION_PATTERN = "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"
_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "minLength": 1})
_TEXT_SCHEMA = WithJsonSchema({"type": "string", "minLength": 1})

Text = Annotated[str, reads(text), AfterValidator(_some), _TEXT_SCHEMA]
"""Text that is not empty."""
Prose = Annotated[str, reads(text), WithJsonSchema({"type": "string"})]
"""Any text."""
Literally = Annotated[str, reads(text), AfterValidator(_literal), WithJsonSchema({"type": "string"})]
"""Text that stands for itself: no template."""
Duration = Annotated[float, reads(_duration), _DURATION_SCHEMA]
"""Seconds, written like `1h30m`; may be zero."""
SomeTime = Annotated[float, reads(_duration), AfterValidator(_above_zero), _DURATION_SCHEMA]
"""Seconds, more than zero."""
TemplateText = Annotated[Template, reads(_template), _TEXT_SCHEMA]
"""Text that may look up labels and annotations of the alert."""
MatcherText = Annotated[tuple[Matcher, ...], reads(_matchers), WithJsonSchema({"type": "string"})]
"""One entry of `matchers`; it may hold several, as in Alertmanager."""
AnyOf = Annotated[
    list[Literally],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""One value, or a list of which any will do."""
