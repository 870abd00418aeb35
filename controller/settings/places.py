"""Where a setting was said: in which line of the file, or in which variable."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from controller.settings.settings import Settings
from rules.reading.policymodels import PolicyModel
from rules.reading.yamlnodes import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Environment

    from rules.reading.fileerrors import FileError
    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node, Unclear

Loc = tuple[str | int, ...]

_PREFIX = "ROLLBACK_"
NAMES_BELOW: frozenset[Loc] = frozenset({("clusters",), ("notify",), ("policy", "freeze"), ("policy", "opt_in")})
"""Where the keys are names that people gave: a hyphen there is a hyphen."""

_READ_BY: dict[str, type[BaseModel]] = {"policy": PolicyModel}
"""Sections whose values are no models any more once they are read."""

_NOT_SETTINGS = frozenset({"CONFIG", "TOKEN"})
_SAID = {
    "missing": "is needed and not said",
    "extra_forbidden": "is not a setting",
}


class Places:
    """Finds the place of a setting. `errors` collects what the file says unclearly."""

    def __init__(self, document: Document | None = None) -> None:
        self._document = document
        self.errors: list[FileError] = []

    def problem(self, loc: Loc, kind: str, message: str) -> str:
        """Put one error of the model at its place, with what was probably meant."""
        message = message.removeprefix("Value error, ")
        loc = loc[:-1] if loc[-1:] == ("[key]",) else loc
        name = ".".join(str(part).replace("_", "-") for part in loc)
        said = f"`{name}` {_SAID[kind]}" if kind in _SAID else f"`{name}`: {message[:1].lower()}{message[1:]}"
        return self.said(loc, said + (_near(loc) if kind == "extra_forbidden" else ""))

    def said(self, loc: Loc, sentence: str) -> str:
        """Put a sentence where a setting was said, or where it would have to be."""
        if variable := _variable(loc):
            return f"{variable}: {sentence}"
        if self._document is None:
            return sentence
        return str(self._document.error(_walk(self._document, loc).key, sentence))

    def unclear(self, loc: Loc, value: Unclear) -> None:
        """Note a value that YAML readers disagree about."""
        if self._document is not None:
            message = f"{value.text} is {value.reading}; put it in quotes if it is meant as text"
            self.errors.append(self._document.error(_walk(self._document, loc).value, message))


class _Place(NamedTuple):
    """A setting in the file: its key (an item of a list is its own) and its value."""

    key: Node
    value: Node


def _walk(document: Document, loc: Iterable[str | int]) -> _Place:
    """Go down as far as the file goes: what is missing is shown at what should hold it."""
    place = _Place(document.root, document.root)
    for part in loc:
        below = _below(place.value, part)
        if below is None:
            break
        place = below
    return place


def _below(node: Node, part: str | int) -> _Place | None:
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if part in {key, key.replace("-", "_")}:
                return _Place(entry.key, entry.value)
    if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
        return _Place(node.items[part], node.items[part])
    return None


def _variable(loc: Loc) -> str | None:
    """Name the variable that said it, if one did: the setting's own, or one that holds a whole section."""
    words = [str(part).upper() for part in loc]
    names = [_PREFIX + "__".join(words[:length]) for length in range(len(words), 0, -1)]
    return next((name for name in names if name in os.environ), None)


def misspelt_variables(environ: Environment[str, str]) -> list[str]:
    """Name variables that set nothing and look as if they should.

    Only near misses: in Kubernetes a service called rollback brings ROLLBACK_PORT and others into every pod.
    """
    known = {name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    wrong = []
    for variable in sorted(environ):
        name = variable.removeprefix(_PREFIX).split("__")[0]
        if not variable.startswith(_PREFIX) or name in known:
            continue
        if close := get_close_matches(name, sorted(known), n=1, cutoff=0.8):
            wrong.append(f"{variable} is not a setting; did you mean {_PREFIX}{close[0]}?")
    return wrong


def _near(loc: Loc) -> str:
    model: type[BaseModel] | None = Settings
    for depth, part in enumerate(loc[:-1]):
        if isinstance(part, str) and model is not None and loc[:depth] not in NAMES_BELOW:
            model = _model(model, part)
    known = sorted(model.model_fields) if model is not None else []
    close = get_close_matches(str(loc[-1]), known, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0].rstrip('_').replace('_', '-')}?"
    return f"; known here: {', '.join(name.rstrip('_').replace('_', '-') for name in known)}" if known else ""


def _model(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    if model is Settings and field in _READ_BY:
        return _READ_BY[field]
    annotation = model.model_fields[field].annotation if field in model.model_fields else None
    candidates = (annotation, *getattr(annotation, "__args__", ()))
    found = (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return next((c for c in found if not issubclass(c, BaseSettings)), None)
