"""From what a model refuses to `file:line:column: message`, with what was probably meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from rules.reading.fieldtypes import INCOMPLETE, MATCHER, NOT_TEXT, SAID
from rules.reading.wording import near_miss
from rules.reading.yamlnodes import Broken, Mapping, Scalar, Sequence, value_of
from rules.reading.yamltraps import cut_at_comment, not_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

    from rules.reading.fileerrors import FileError
    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node

Model = TypeVar("Model", bound=BaseModel)
Loc = tuple[int | str, ...]


def check(
    model: type[Model],
    node: Node,
    document: Document,
    *,
    partial: bool = False,
) -> tuple[Model | None, list[FileError]]:
    """Read a node as a model. With `partial` it is no mistake to leave something out."""
    try:
        return model.model_validate(value_of(node)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    wanted = (detail for detail in details if not (partial and detail["type"] in {"missing", INCOMPLETE}))
    return None, [found for detail in wanted if (found := _explain(detail, model, node, document))]


def _explain(detail: ErrorDetails, model: type[BaseModel], root: Node, document: Document) -> FileError | None:
    loc = detail["loc"]
    place, key = find_node(root, loc)
    if detail["type"] == "extra_forbidden":
        return document.error(key or place, _unknown_key(loc, model))
    if isinstance(place, Broken):
        return None
    if _is_left_out(place):
        # YAML puts an empty value where the next thing begins; people look for it at its key.
        return document.error(key or place, "its value is missing; write one, or remove the key")
    at_key = bool(loc) and loc[-1] == "[key]"
    return document.error(key if key and at_key else place, _message(detail, place, document))


def _is_left_out(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and not node.text


def find_node(root: Node, loc: Loc) -> tuple[Node, Scalar | None]:
    """Follow a pydantic location as far as the tree goes; return the value there, and its key."""
    node, key = root, None
    for part in loc:
        if isinstance(node, Mapping) and part in node.entries:
            entry = node.entries[str(part)]
            node, key = entry.value, entry.key
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node, key = node.items[part], None
    return node, key


def _written_wrong(node: Node, document: Document) -> str:
    """Say what YAML did to a matcher, where it did something."""
    if not isinstance(node, Scalar) or not node.plain:
        return ""
    after = document.after(node)
    if cut := cut_at_comment(node, after):
        return f" ({cut})"
    if '"' in node.text:
        return " (in YAML, put the whole matcher in single quotes, like 'severity=\"critical\"')"
    return ""


def _unknown_key(loc: Loc, model: type[BaseModel]) -> str:
    path = [str(part) for part in loc if isinstance(part, str)]
    key = path[-1]
    known = _keys(_models_at(model, loc[:-1]))
    if hint := near_miss(key, known):
        return f"`{key}` is not known here{hint}"
    if (home := next((where for where, name in _homes(model, "") if name == key), None)) is not None:
        return f"`{key}` is not known here; it belongs under `{home}`" if home else f"`{key}` belongs one level up"
    return f"`{key}` is not known here; known are {', '.join(known)}"


def _models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    models = [model]
    for part in loc:
        fields = [info for m in models for info in m.model_fields.values() if info.alias == part]
        if fields:
            models = [inner for info in fields for inner in _models_in(info.annotation)]
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _keys(models: Iterable[type[BaseModel]]) -> list[str]:
    return [info.alias or name for model in models for name, info in model.model_fields.items()]


def _homes(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """Walk every key that a model knows, with the path it stands under."""
    for name, info in model.model_fields.items():
        alias = info.alias or name
        yield path, alias
        for inner in _models_in(info.annotation):
            yield from _homes(inner, f"{path}.{alias}".lstrip("."))


def _message(detail: ErrorDetails, node: Node, document: Document) -> str:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "missing":
        return f"`{detail['loc'][-1]}` is missing; add it"
    if kind == NOT_TEXT:
        return not_text(node, document.source(node))
    if kind in {SAID, MATCHER, INCOMPLETE}:
        return str(context["message"]) + (_written_wrong(node, document) if kind == MATCHER else "")
    return _refused(kind, context, node, detail["msg"])


def _refused(kind: str, context: dict[str, Any], node: Node, said: str) -> str:
    if kind in {"literal_error", "enum"}:
        return _not_one_of(node, str(context["expected"]))
    if kind in _WANTED:
        return _WANTED[kind]
    for limit, words in _LIMITS.items():
        if limit in context:
            return f"{words} {context[limit]}"
    return said


def _not_one_of(node: Node, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected) or [expected]
    if not isinstance(node, Scalar):
        return f"write {' or '.join(words)} here"
    hint = near_miss(node.text, words)
    return f"`{node.text}` is not known here{hint or '; write ' + ' or '.join(words)}"


_WANTED = {
    "model_type": "this must be a mapping: keys with values",
    "model_attributes_type": "this must be a mapping: keys with values",
    "dict_type": "this must be a mapping: keys with values",
    "list_type": "this must be a list: write `- ` before each item, or [ ] around them",
    "int_type": "this must be a whole number",
    "int_from_float": "this must be a whole number",
    "float_type": "this must be a number",
    "finite_number": "this must be a number",
    "bool_type": "write true or false here",
    "too_short": "this must not be empty",
}

_LIMITS = {
    "ge": "this must be at least",
    "gt": "this must be more than",
    "le": "this must be at most",
    "lt": "this must be less than",
    "max_length": "this is too long; the limit is",
}
