"""PromQL with look-ups in it: what the alert says goes in as a whole quoted string, or not at all.

An alert's labels come from strangers. A value that is a string literal of its own cannot end it, whatever it
holds; beside `=~` and `!~` it is text, and no regular expression.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.templates import Lookup, Template, TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<quote>["'`])(?P<action>\{\{[^{}]*\}\})(?P=quote)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    """,
    re.VERBOSE,
)
_REGEX_BEFORE = re.compile(r"[=!]~\s*\Z")
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class _Value:
    """One look-up, and whether its value stands where PromQL takes a regular expression."""

    of: Template
    in_regex: bool


@dataclass(frozen=True, slots=True)
class PromqlTemplate:
    """A query, read once. Raises `TemplateError` where a look-up is anything but a whole quoted string."""

    text: str
    parts: tuple[str | _Value, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(part for part in _read(self.text) if part))

    def expand(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
        """Return the query as it is sent. Raises `LabelMissing`; an empty value counts as missing."""
        return "".join(
            part if isinstance(part, str) else _written(part.of.expand(labels, annotations), part)
            for part in self.parts
        )

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """What the alert must carry."""
        return tuple(lookup for part in self.parts if isinstance(part, _Value) for lookup in part.of.lookups)

    def __str__(self) -> str:
        return self.text


def _read(text: str) -> Iterator[str | _Value]:
    at = 0
    for found in _TOKEN.finditer(text):
        before = text[at : found.start()]
        _without_braces(before, at)
        yield before
        if found["action"]:
            yield _Value(_lookup(found["action"], found.start()), bool(_REGEX_BEFORE.search(before)))
        else:
            if found["string"]:
                _without_braces(found["string"], found.start())
            yield found[0]
        at = found.end()
    _without_braces(text[at:], at)
    yield text[at:]


def _lookup(action: str, offset: int) -> Template:
    try:
        return Template(action)
    except TemplateError as error:
        raise TemplateError(str(error), offset + 1) from error


def _without_braces(text: str, offset: int) -> None:
    """Refuse a look-up outside of quotes, and one that shares its quotes with other text."""
    if (at := text.find("{{")) < 0:
        return
    inside = re.match(r"\{\{.*?\}\}", text[at:], re.DOTALL)
    said = inside[0] if inside else "{{"
    raise TemplateError(
        f"{said} can only be a whole quoted string in PromQL, with nothing else between the quotes; "
        f'write it like job="{inside[0] if inside else "{{ $labels.job }}"}"',
        offset + at,
    )


def _written(value: str, of: _Value) -> str:
    return quoted(literally(value) if of.in_regex else value)


def literally(value: str) -> str:
    """Write a regular expression that matches this text and nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", value)


def quoted(value: str) -> str:
    """Write a string literal of PromQL, whose escapes are Go's: JSON's are among them."""
    return json.dumps(value, ensure_ascii=False)
