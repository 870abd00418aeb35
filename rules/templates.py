"""Templates: `{{ $labels.x }}` with the names Prometheus users know. Plain substitution; no code runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ACTION = re.compile(r"\{\{(?P<trim>-(?=\s))?(?P<inside>.*?)(?P<trim_after>(?<=\s)-)?\}\}", re.DOTALL)
_FIELD = re.compile(r"\s*\$(?P<source>labels|annotations)\.(?P<name>\w+)\s*")
_INDEX = re.compile(
    r"""\s*index\s+\$(?P<source>labels|annotations)\s+(?:"(?P<name>[^"\\\n]+)"|`(?P<raw>[^`]+)`)\s*"""
)


class TemplateError(ValueError):
    """Something in braces is not a plain look-up. `offset` counts characters up to its opening braces."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class LabelMissing(LookupError):
    """The alert does not carry the label (or annotation) that a template asks for, or an empty one."""

    def __init__(self, name: str, source: Literal["labels", "annotations"] = "labels") -> None:
        super().__init__(
            f"the alert carries no {source.removesuffix('s')} {name}, or an empty one: "
            f"add it to the alerting rule's {source}, or name another one in the rollback rule"
        )
        self.name = name
        self.source = source


@dataclass(frozen=True, slots=True)
class Lookup:
    """One `{{ … }}`: which of the alert's two maps, and the name in it."""

    source: Literal["labels", "annotations"]
    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """Text with look-ups in it, read once. Raises `TemplateError` for anything else in double braces."""

    text: str
    parts: tuple[str | Lookup, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(part for part in _read(self.text) if part))

    def expand(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
        """Put the alert's values in. Raises `LabelMissing`; an empty value counts as missing."""
        return "".join(
            part if isinstance(part, str) else _value(part, labels if part.source == "labels" else annotations)
            for part in self.parts
        )

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """What the alert must carry."""
        return tuple(part for part in self.parts if isinstance(part, Lookup))

    def __str__(self) -> str:
        return self.text


def _value(lookup: Lookup, values: Mapping[str, str]) -> str:
    value = values.get(lookup.name)
    if not value:
        raise LabelMissing(lookup.name, lookup.source)
    return value


def _read(text: str) -> Iterator[str | Lookup]:
    at, trim = 0, False
    # Past the last closing braces nothing is looked for: from each opening pair it would be, to the very end.
    for found in _ACTION.finditer(text, 0, text.rfind("}}") + 2):
        yield _trimmed(text[at : found.start()], left=trim, right=bool(found["trim"]))
        yield _lookup(found["inside"], found.start())
        at, trim = found.end(), bool(found["trim_after"])
    if (opened := text.find("{{", at)) >= 0:
        raise TemplateError(f"{text[opened:]} is never closed: add }}}} at its end", opened)
    yield _trimmed(text[at:], left=trim, right=False)


def _trimmed(text: str, *, left: bool, right: bool) -> str:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _lookup(inside: str, offset: int) -> Lookup:
    found = _FIELD.fullmatch(inside) or _INDEX.fullmatch(inside)
    if found is None:
        raise TemplateError(f"{{{{{inside}}}}} is not a look-up: {_hint(inside)}", offset)
    groups = found.groupdict()
    source: Literal["labels", "annotations"] = "labels" if groups["source"] == "labels" else "annotations"
    return Lookup(source, groups["name"] or groups["raw"])


_NEAR = re.compile(
    r"(?:index\s+)?[$.]?(?P<source>common_?labels|group_?labels|common_?annotations|labels?|annotations?)"
    r"""(?:\.|\s*\[\s*|\s+)["'`]?(?P<name>[^"'`\]\s|(){}]+)["'`]?\s*\]?""",
    re.IGNORECASE,
)


def _hint(inside: str) -> str:
    """Say what was probably meant."""
    inside = inside.strip(" \t\n-")
    if found := _NEAR.fullmatch(inside):
        source = "annotations" if "annotation" in found["source"].lower() else "labels"
        return f"write {{{{ {_written(source, found['name'])} }}}}"
    if "|" in inside or re.match(r"(if|range|with|end|else|template|define|block)\b", inside):
        return "no code runs here; write {{ $labels.NAME }} and let the alerting rule make the value"
    return 'write {{ $labels.NAME }}, {{ $annotations.NAME }} or {{ index $labels "NAME" }}'


def _written(source: str, name: str) -> str:
    return f"${source}.{name}" if re.fullmatch(r"\w+", name) else f'index ${source} "{name}"'
