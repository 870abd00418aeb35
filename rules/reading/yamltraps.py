"""YAML's traps: what a person probably meant where YAML reads something else, or nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rules.reading.yamlnodes import Mapping, Scalar, Sequence, Unclear, read_plain

if TYPE_CHECKING:
    from rules.reading.yamlnodes import Node

MENDED = "\ue000mended\ue000"
"""Stands in for what could not be read, so that the rest of the file can be checked all the same."""

_ITEM = re.compile(r"(?P<lead>\s*(?:- +)*(?:[\w.-]+: +)?)(?P<rest>.*\S)\s*")
_QUOTED_NAME = re.compile(r""" (?:"[^"]*"|'[^']*') \s* (?:=~|!~|!=|=) .*""", re.VERBOSE)
_IN_QUOTES_ONLY = re.compile(r"[@`%]")


def quoted(text: str) -> str:
    """Write a text so that YAML reads it as it is."""
    one_line = text if len(text) <= 100 else f"{text[:97]}..."
    if "\n" in one_line:
        one_line = " ".join(one_line.split())
    return "'" + one_line.replace("'", "''") + "'"


def broken_line(line: str, problem: str) -> tuple[str, str] | None:
    """Explain a line that YAML cannot read, and mend it; None where the cause may lie elsewhere."""
    found = _ITEM.fullmatch(line)
    if found is None:
        return None
    lead, rest = found["lead"], found["rest"]
    hint = None
    if _QUOTED_NAME.fullmatch(rest):
        hint = f"YAML ends the text at its second quote; put the whole matcher in quotes: {quoted(rest)}"
    elif rest.startswith("{{") and "}}" in rest:
        hint = f"YAML reads an unquoted {{{{ as a mapping; put the whole text in quotes: {quoted(rest)}"
    elif "cannot start any token" in problem and _IN_QUOTES_ONLY.match(rest):
        hint = f"a text cannot begin with {rest[0]} in YAML; put it in quotes: {quoted(rest)}"
    return None if hint is None else (hint, f"{lead}{MENDED}")


def syntax_message(line: str, problem: str) -> str:
    """Say what is wrong where YAML gives up, in words that do not need its grammar."""
    if "\\t" in problem or re.match(r" *\t", line):
        return "YAML does not take a tab here; indent with spaces"
    for said, meant in _SYNTAX.items():
        if said in problem:
            return meant
    return f"this is not YAML: {problem}; put what is meant as text in quotes"


_SYNTAX = {
    "mapping values are not allowed here": "a second `: ` on this line, or a wrong indentation: "
    "put text that holds `: ` in quotes, and begin the keys of one mapping in one column",
    "sequence entries are not allowed here": "a list cannot begin here; write its first `- ` on a line of its own",
    "expected <block end>": "this does not fit the lines above: begin the keys of one mapping, or the items of "
    "one list, in one column; put text that goes on after its closing quote in quotes as a whole",
    "expected '<document start>'": "this does not belong to the mapping above; begin its keys in the first column",
    "unexpected end of stream": "this quote is never closed; close it (inside [ ] and { } text that holds a "
    "comma or a bracket must be in quotes as a whole)",
    "expected ',' or ']'": "this list is never closed, or a comma is missing; text that holds a comma, a bracket "
    "or quotes must be in quotes as a whole",
    "expected ',' or '}'": "this mapping is never closed, or a comma is missing; text that holds a comma, "
    "a bracket or quotes must be in quotes as a whole",
    "could not find expected ':'": "a key needs `: ` and a value; put text that goes over several lines in quotes",
    "unknown escape": 'a backslash begins an escape in "double quotes"; write single quotes, or two backslashes',
    "hexdecimal": 'a backslash begins an escape in "double quotes"; write single quotes, or two backslashes',
}


def not_text(node: Node, source: str) -> str:
    """Say why something is no text, and how to write it as one. `source` is what the file says there."""
    if isinstance(node, Mapping):
        if source.startswith("{{"):
            return f"YAML reads an unquoted {{{{ as a mapping; put the whole text in quotes: {quoted(source)}"
        if node.flow:
            return f"YAML reads {{ }} as a mapping; put it in quotes to make it text: {quoted(source)}"
        return f"YAML reads this as a mapping, because of its `: `; put it in quotes: {quoted(source)}"
    if isinstance(node, Sequence):
        return "a list cannot be here; write one text"
    if isinstance(node, Scalar) and node.plain:
        return _plain_not_text(node.text)
    return "write a text here"


def _plain_not_text(text: str) -> str:
    value = read_plain(text)
    if value is None:
        return "its value is missing" if not text else f'{text} is no value; for the text write "{text}"'
    if isinstance(value, Unclear):
        reading = value.reading
    else:
        reading = "true or false" if isinstance(value, bool) else "a number"
    return f'{text} is {reading}, not text; write it in quotes: "{text}"'


def cut_at_comment(node: Node, after: str) -> str | None:
    """Tell whether the rest of a line was taken for a comment. `after` is what follows the text on its line."""
    if isinstance(node, Scalar) and node.plain and re.match(r"\s+#", after):
        whole = f"{node.text}{after.rstrip()}"
        return f"YAML takes what follows ` #` for a comment; put the whole text in quotes: {quoted(whole)}"
    return None
