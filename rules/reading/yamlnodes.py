"""A YAML document as a tree that remembers where everything was written.

Plain scalars are read by the core schema of YAML 1.2. What older readers take for something else (`on`, `017`,
`2024-05-20`) becomes `Unclear`, which no field accepts: nothing is converted silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True)
class Scalar:
    """A single value. `plain` is false where the file says in quotes (or by `|`, `>`, `!!str`) that it is text."""

    line: int
    column: int
    start: int
    end: int
    text: str
    plain: bool


@dataclass(slots=True)
class Sequence:
    """A list."""

    line: int
    column: int
    start: int
    end: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """A mapping whose keys are text. `flow` tells `{a: b}` from keys on lines of their own."""

    line: int
    column: int
    start: int
    end: int
    flow: bool
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class Broken:
    """A place that has its error already; whatever else would be said about it is only noise."""

    line: int
    column: int
    start: int
    end: int


@dataclass(slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: Scalar
    value: Node


Node: TypeAlias = Scalar | Sequence | Mapping | Broken


@dataclass(frozen=True, slots=True)
class Unclear:
    """A plain scalar that YAML readers disagree about."""

    text: str
    reading: str


Value: TypeAlias = "str | int | float | bool | Unclear | Broken | list[Value] | dict[str, Value] | None"

_NUMBER_LENGTH = 40

_PLAIN = re.compile(
    r"""(?P<null>~|null|Null|NULL|)
    |(?P<true>true|True|TRUE) |(?P<false>false|False|FALSE)
    |(?P<octal>[-+]?0[0-9_]+)
    |(?P<int>[-+]?[0-9]+) |(?P<base>0o[0-7]+|0x[0-9a-fA-F]+)
    |(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    |(?P<switch>(?i:on|off|yes|no))
    |(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?)
    |(?P<clock>[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)
    |(?P<grouped>[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9_]*)?))
    """,
    re.VERBOSE,
)

_READINGS = {
    "octal": "an octal number to some YAML readers",
    "switch": "true or false to some YAML readers",
    "date": "a date to some YAML readers",
    "clock": "a number in base 60 to some YAML readers",
    "grouped": "a number to some YAML readers",
}


def value_of(node: Node) -> Value:
    """Return the plain data of a tree."""
    if isinstance(node, Mapping):
        return {key: value_of(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [value_of(item) for item in node.items]
    if isinstance(node, Scalar):
        return read_plain(node.text) if node.plain else node.text
    return node


def read_plain(text: str) -> Value:
    """Read a plain scalar as YAML 1.2 does, and say so where YAML 1.1 would read something else."""
    found = _PLAIN.fullmatch(text)
    if found is None:
        return text
    kind = found.lastgroup or ""
    if kind in _READINGS:
        return Unclear(text, _READINGS[kind])
    if len(text) > _NUMBER_LENGTH:
        return Unclear(text, "a number of very many digits")
    return _read_core(kind, text)


def _read_core(kind: str, text: str) -> Value:
    if kind == "null":
        return None
    if kind in {"true", "false"}:
        return kind == "true"
    if kind == "int":
        return int(text)
    if kind == "base":
        return int(text, 0)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
