"""Alertmanager's UTF-8 matcher grammar: any name and value in double quotes, plain ones without.

Braces are optional but come in pairs, one comma may trail, a value is required (`""` is one), and double
quotes hold what Go's string literals may hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.matching.matcher_syntax import RESERVED, SPACE, MatcherError, Triple

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r'(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<operator>=~|!=|!~|=)|(?P<mark>[{},])', re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)
_PLAIN = {
    "a": b"\a",
    "b": b"\b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
    "\\": b"\\",
    '"': b'"',
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_utf8(text: str) -> tuple[Triple, ...]:
    """Read a list of matchers; raise `MatcherError` for what the UTF-8 parser refuses."""
    return _Reader(text).matchers()


class _Reader:
    """A cursor over tokens, made one by one: the first mistake in the text is the one reported."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def matchers(self) -> tuple[Triple, ...]:
        braced = self._accept("{")
        found: list[Triple] = []
        while self._next.kind not in ("}", "end"):
            found.append(self._matcher())
            if not self._accept(","):
                break
        if braced:
            self._expect("}", instead="a comma or the closing brace")
        self._expect("end", instead="a comma or the end")
        return tuple(found)

    def _matcher(self) -> Triple:
        name = _unquote(self._expect("plain", "quoted", instead="a label name"))
        operator = self._expect("operator", instead="one of =, !=, =~, !~").text
        return (
            name,
            operator,
            _unquote(self._expect("plain", "quoted", instead='a value (an empty one is "")')),
        )

    def _accept(self, kind: str) -> bool:
        if self._next.kind != kind:
            return False
        self._next = next(self._tokens)
        return True

    def _expect(self, *kinds: str, instead: str) -> _Token:
        token = self._next
        if token.kind not in kinds:
            found = token.text or "the end"
            raise MatcherError(f"at character {token.at + 1}: expected {instead}, found {found}", token.at)
        if token.kind != "end":
            self._next = next(self._tokens)
        return token


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        char = text[at]
        if char in SPACE:
            at += 1
        elif char not in RESERVED:
            end = next((i for i in range(at, len(text)) if text[i] in RESERVED), len(text))
            yield _Token("plain", text[at:end], at)
            at = end
        elif found := _TOKEN.match(text, at):
            kind = found[0] if found.lastgroup == "mark" else str(found.lastgroup)
            yield _Token(kind, found[0], at)
            at = found.end()
        else:
            raise MatcherError(_cannot_stand(text, at), at)
    yield _Token("end", "", at)


def _cannot_stand(text: str, at: int) -> str:
    if text[at] == '"':
        return f"at character {at + 1}: the double quote has no other: put one before and one after the value"
    return f"at character {at + 1}: {text[at]} cannot stand here: put the name or value in double quotes"


def _unquote(token: _Token) -> str:
    """Read a quoted token as Go reads a string literal: escapes may spell bytes, the whole must be UTF-8."""
    if token.kind == "plain":
        return token.text
    out, body, at = bytearray(), token.text[1:-1], 0
    if "\n" in body:
        raise MatcherError("a line break inside double quotes: write it as \\n", token.at + 1)
    while at < len(body):
        if body[at] != "\\":
            out += body[at].encode()
            at += 1
            continue
        found = _ESCAPE.match(body, at)
        if found is None:
            where = token.at + 1 + at
            raise MatcherError(
                f"at character {where + 1}: unknown escape {body[at : at + 2]}: write \\\\ for a backslash",
                where,
            )
        out += _escaped(found, token.at + 1 + at)
        at = found.end()
    try:
        return out.decode()
    except UnicodeDecodeError as error:
        raise MatcherError(
            f"the escapes in {token.text} do not make valid UTF-8 text: correct them", token.at
        ) from error


def _escaped(found: re.Match[str], at: int) -> bytes:
    if found["plain"]:
        return _PLAIN[found["plain"]]
    if found["byte"]:
        return bytes((int(found["byte"], 16),))
    if found["octal"]:
        return bytes((int(found["octal"], 8),))
    code = int(found["short"] or found["long"], 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise MatcherError(f"at character {at + 1}: {found[0]} is not a character: correct its digits", at)
    return chr(code).encode()
