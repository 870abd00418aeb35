"""From YAML's events to a tree: keys are text and written once, aliases and depth are bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from rules.reading.fileerrors import FileError
from rules.reading.yamlnodes import Broken, Entry, Mapping, Scalar, Sequence, read_plain
from rules.reading.yamltraps import MENDED, not_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.yamlnodes import Node

_MOST_NODES = 2_000_000
_MOST_FROM_ALIASES = 100_000
_DEEPEST = 40
_STRING_TAG = "tag:yaml.org,2002:str"


class Stop(Exception):
    """Nothing after this place can be read."""

    def __init__(self, error: FileError) -> None:
        super().__init__(str(error))
        self.error = error


class TreeBuilder:
    """Builds one tree. Mistakes that leave the rest readable are collected in `errors`."""

    def __init__(self, file: str, text: str) -> None:
        self.errors: list[FileError] = []
        self._file = file
        self._text = text
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0
        self._from_aliases = 0

    def build(self, events: Iterator[Any]) -> Mapping:
        """Read the only document of a file, which must be a mapping."""
        root: Node | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                self._begin(event, again=root is not None)
            elif isinstance(event, NodeEvent):
                root = self._node(event, events, 0)
            elif isinstance(event, DocumentEndEvent):
                continue
        if root is None or (isinstance(root, Scalar) and root.plain and not root.text):
            raise Stop(FileError(self._file, 1, 1, "the file is empty; it must begin with `version:`"))
        if not isinstance(root, Mapping):
            raise Stop(self._at(root, "the file must be a mapping that begins with `version:`"))
        return root

    def _begin(self, event: DocumentStartEvent, *, again: bool) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if again:
            message = "a second document begins here; write one document in a file, without further `---`"
            raise Stop(FileError(self._file, line, column, message))
        if event.version is not None and tuple(event.version) != (1, 2):
            raise Stop(FileError(self._file, line, column, "files are read as YAML 1.2; remove %YAML"))

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        before = self._nodes
        self._nodes += 1
        start, end = event.start_mark, event.end_mark
        place = (start.line + 1, start.column + 1, start.index, end.index)
        if depth > _DEEPEST or self._nodes > _MOST_NODES:
            message = "this is nested too deeply" if depth > _DEEPEST else "the file holds too much; split it"
            raise Stop(FileError(self._file, *place[:2], message))
        node = self._scalar(event, place) if isinstance(event, ScalarEvent) else None
        node = node or self._collection(event, place, events, depth)
        if event.tag not in (None, "!", _STRING_TAG):
            self.errors.append(self._at(node, f"tags like {event.tag} have no meaning here; remove it"))
            node = Broken(*place)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _scalar(self, event: ScalarEvent, place: tuple[int, int, int, int]) -> Node:
        if event.value == MENDED:
            return Broken(*place)
        text = self._characters(event.value, place)
        return Broken(*place) if text is None else Scalar(*place, text, event.tag is None and not event.style)

    def _characters(self, value: str, place: tuple[int, int, int, int]) -> str | None:
        r"""Join what `"\ud83d\ude00"` takes apart, as JSON does; half of a pair is no character."""
        if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            message = "this text holds half of a surrogate pair (\\ud800 to \\udfff); write the whole character"
            self.errors.append(FileError(self._file, *place[:2], message))
            return None

    def _collection(
        self, event: Any, place: tuple[int, int, int, int], events: Iterator[Any], depth: int
    ) -> Mapping | Sequence:
        if event.anchor is not None:
            # Until it is whole, an alias to it would be a loop.
            self._anchors[event.anchor] = (Broken(*place), 0)
        if isinstance(event, MappingStartEvent):
            return self._mapping(Mapping(*place, flow=bool(event.flow_style)), events, depth)
        sequence = Sequence(*place)
        for inner in events:
            if isinstance(inner, CollectionEndEvent):
                sequence.end = inner.end_mark.index
                break
            sequence.items.append(self._node(inner, events, depth + 1))
        return sequence

    def _mapping(self, mapping: Mapping, events: Iterator[Any], depth: int) -> Mapping:
        for inner in events:
            if isinstance(inner, CollectionEndEvent):
                mapping.end = inner.end_mark.index if mapping.flow else self._last(mapping)
                break
            key = self._node(inner, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            self._enter(mapping, key, value)
        return mapping

    def _last(self, mapping: Mapping) -> int:
        """Return where the text of a block mapping ends; YAML's own mark is on the next line or later."""
        return max((entry.value.end for entry in mapping.entries.values()), default=mapping.start)

    def _enter(self, mapping: Mapping, key: Node, value: Node) -> None:
        if self._is_template(mapping):
            # `{{ … }}` without quotes: said once, where text is wanted.
            return
        if not isinstance(key, Scalar) or (key.plain and not isinstance(read_plain(key.text), str)):
            self._refuse_key(key)
        elif key.plain and key.text == "<<":
            self.errors.append(self._at(key, "merge keys (<<) are not part of YAML 1.2; write the keys out"))
        elif key.text in mapping.entries:
            first = mapping.entries[key.text].key.line
            self.errors.append(self._at(key, f"`{key.text}` is written twice, first on line {first}; keep one"))
        else:
            mapping.entries[key.text] = Entry(key, value)

    def _is_template(self, mapping: Mapping) -> bool:
        return mapping.flow and self._text.startswith("{{", mapping.start)

    def _refuse_key(self, key: Node) -> None:
        if isinstance(key, Broken):
            return
        if isinstance(key, Scalar):
            self.errors.append(self._at(key, not_text(key, key.text)))
        else:
            self.errors.append(self._at(key, "a key must be a text; put it in quotes"))

    def _alias(self, event: AliasEvent) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        known = self._anchors.get(event.anchor)
        if known is None:
            message = (
                f"*{event.anchor} is an alias, and no &{event.anchor} comes before it; text that begins with * "
            )
            raise Stop(FileError(self._file, line, column, f"{message}must be in quotes"))
        node, size = known
        if not size:
            message = f"*{event.anchor} stands inside what it refers to; write it out"
            self.errors.append(FileError(self._file, line, column, message))
        self._nodes += size
        self._from_aliases += size
        if self._from_aliases > _MOST_FROM_ALIASES:
            raise Stop(FileError(self._file, line, column, "aliases make this file too large; write it out"))
        return node

    def _at(self, node: Node, message: str) -> FileError:
        return FileError(self._file, node.line, node.column, message)
