"""Matchers: Alertmanager's own grammar and meaning, so that a rule matches what a route would.

Alertmanager reads a line of `matchers:` with its UTF-8 parser first, falls back to the classic one, and where
both read it but differently the classic reading wins (its default mode). `parse_matchers` does the same.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from rules.matching.classic_syntax import parse_classic
from rules.matching.matcher_syntax import RESERVED, MatcherError, Triple
from rules.matching.regexes import RegexError, compile_anchored
from rules.matching.utf8_syntax import parse_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Matcher", "MatcherError", "Operator", "parse_matchers"]

Operator: TypeAlias = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is missing counts as empty, for every operator.

    Raises `MatcherError` when `value` is not a regular expression but `op` wants one.
    """

    name: str
    op: Operator
    value: str
    _test: Callable[[str], bool] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op not in ("=", "!=", "=~", "!~"):
            raise MatcherError(f"{self.op} is not an operator: use =, !=, =~ or !~")
        if self.op in ("=~", "!~"):
            try:
                object.__setattr__(self, "_test", compile_anchored(self.value))
            except RegexError as error:
                raise MatcherError(f"{self} is not a regular expression (RE2): {error}; correct it") from error

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the condition holds for these labels."""
        value = labels.get(self.name, "")
        if self.op == "=":
            return value == self.value
        if self.op == "!=":
            return value != self.value
        return self._test is not None and self._test(value) == (self.op == "=~")

    def __reduce__(self) -> tuple[type[Matcher], tuple[str, str, str]]:
        """Copy and pickle by what is written; the compiled expression is made anew."""
        return Matcher, (self.name, self.op, self.value)

    def __str__(self) -> str:
        """Give the canonical text: both grammars that can read it read this matcher from it."""
        plain = self.name and RESERVED.isdisjoint(self.name)
        return f"{self.name if plain else _quote(self.name)}{self.op}{_quote(self.value)}"


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Read one line of Alertmanager's `matchers:`; it may hold none, one or several matchers.

    Raises `MatcherError` (a `ValueError`) for what Alertmanager does not accept in its default mode.
    """
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise MatcherError("the text is not valid Unicode: it holds half of a surrogate pair; type it again")
    # The classic reading wins wherever there is one. Where there is none, the UTF-8 reading counts, and its
    # refusal is the one that says where.
    try:
        classic = parse_classic(text)
    except MatcherError:
        return _compiled(parse_utf8(text))
    try:
        return _compiled(classic)
    except MatcherError as bad_expression:
        with suppress(MatcherError):
            return _compiled(parse_utf8(text))
        raise bad_expression from None


def _compiled(triples: tuple[Triple, ...]) -> tuple[Matcher, ...]:
    return tuple(Matcher(name, cast("Operator", op), value) for name, op, value in triples)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
