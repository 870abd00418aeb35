"""Reading YAML that people write: every mistake at its place, nothing converted silently, bounded in every way.

The events of ruamel.yaml become a tree of `rules.reading.yamlnodes`. One level of aliases or a thousand, the
tree never grows beyond `_MOST_NODES`; anything that cannot be read is a `FileError`, whatever bytes come in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import Reader

from rules.reading.fileerrors import FileError, RuleFileErrors
from rules.reading.yamltraps import MENDED, broken_line, syntax_message
from rules.reading.yamltree import Stop, TreeBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.yamlnodes import Mapping, Node

_MOST_BYTES = 10 << 20
_MOST_MENDED = 20
_MENDABLE_LENGTH = 1 << 18
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x84\x86-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_BEYOND_UNICODE = re.compile(r"\\U(?!0010|000[0-9a-fA-F])[0-9a-fA-F]{8}")

# What ruamel.yaml raises beside its own errors for some hostile texts, such as "\U00110000".
_RAISED_BY_YAML = (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError, OverflowError)


@dataclass(frozen=True, slots=True)
class Document:
    """One mapping that was read from a file. `errors` did not keep the rest from being read."""

    file: str
    text: str
    root: Mapping
    errors: tuple[FileError, ...]

    def source(self, node: Node) -> str:
        """Return what the file says at a node."""
        return self.text[node.start : node.end]

    def after(self, node: Node) -> str:
        """Return the rest of the line that a node ends on."""
        found = _LINE_END.search(self.text, node.end)
        return self.text[node.end : found.start() if found else None]

    def error(self, place: Node, message: str) -> FileError:
        """Make an error at a node's place."""
        return FileError(self.file, place.line, place.column, message)


def read_yaml(data: str | bytes, file: str) -> Document:
    """Read one YAML mapping. Raises `RuleFileErrors` where nothing can be made of the file."""
    text = _decoded(data, file)
    errors: list[FileError] = []
    for _ in range(_MOST_MENDED):
        try:
            builder = TreeBuilder(file, text)
            root = builder.build(_events(text))
        except Stop as stop:
            raise RuleFileErrors((*errors, stop.error)) from stop
        except _RAISED_BY_YAML as error:
            found, mended = _explain(error, file, text)
            errors.append(found)
            if mended is None:
                raise RuleFileErrors(tuple(errors)) from error
            text = mended
        else:
            return Document(file, text, root, (*errors, *builder.errors))
    raise RuleFileErrors(tuple(errors))


def _decoded(data: str | bytes, file: str) -> str:
    if len(data) > _MOST_BYTES:
        message = "the file is larger than 10 MiB; split it into several files"
        raise RuleFileErrors((FileError(file, 1, 1, message),))
    text = _from_bytes(data, file) if isinstance(data, bytes) else data
    text = text.removeprefix("\ufeff")
    if found := _UNREADABLE.search(text):
        name = f"U+{ord(found[0]):04X}"
        message = (
            f'the character {name} cannot stand in YAML as it is; write "\\u{ord(found[0]):04x}" or remove it'
        )
        raise RuleFileErrors((FileError(file, *_place(text, found.start()), message),))
    return text


def _from_bytes(data: bytes, file: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RuleFileErrors((FileError(file, 1, 1, "the file is UTF-16; save it as UTF-8"),))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = _place(data[: error.start].decode(), error.start)
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise RuleFileErrors((FileError(file, *place, message),)) from error


def _place(text: str, index: int) -> tuple[int, int]:
    """Return line and column of an index, both from 1."""
    ends = [found.end() for found in _LINE_END.finditer(text, 0, index)]
    return len(ends) + 1, min(index, len(text)) - (ends[-1] if ends else 0) + 1


class _Reader(Reader):
    """Leaves the check of characters to `_decoded`, which knows lines and allows what YAML 1.2 allows."""

    def check_printable(self, data: Any) -> None:
        """Accept: it was checked before."""


def _events(text: str) -> Iterator[Any]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader = _Reader
    events: Iterator[Any] = yaml.parse(text)
    return events


def _explain(error: Exception, file: str, text: str) -> tuple[FileError, str | None]:
    """Say what YAML could not read and where; and give the text with that place mended, where that is safe."""
    mark, problem = _mark(error, text)
    if mark is None:
        return _unmarked(error, file, text), None
    lines = _LINE_END.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    known = broken_line(line, problem)
    if known is None:
        return FileError(file, mark.line + 1, mark.column + 1, syntax_message(line, problem)), None
    message, mended = known
    lines[mark.line] = mended
    return (
        FileError(file, mark.line + 1, len(mended) - len(MENDED) + 1, message),
        "\n".join(lines) if len(text) <= _MENDABLE_LENGTH else None,
    )


def _unmarked(error: Exception, file: str, text: str) -> FileError:
    if beyond := _BEYOND_UNICODE.search(text):
        message = f"{beyond[0]} is no character; the last one is \\U0010ffff"
        return FileError(file, *_place(text, beyond.start()), message)
    return FileError(file, 1, 1, f"this is not YAML: {error}; put what is meant as text in quotes")


def _mark(error: Exception, text: str) -> tuple[Any, str]:
    if not isinstance(error, MarkedYAMLError):
        return None, str(error)
    problem = str(error.problem or error.context or "")
    at_end = error.problem_mark is None or error.problem_mark.index >= len(text)
    return (error.context_mark if at_end and error.context_mark else error.problem_mark), problem
