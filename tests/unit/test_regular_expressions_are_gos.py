"""Regular expressions are accepted and matched as Go would, wherever RE2 alone would not."""

from __future__ import annotations

import pytest

from rules.matching.regexes import RegexError, compile_anchored

MATCHES = [
    (r"\p{ASCII}", "a", "é"),
    (r"\P{ascii}", "é", "a"),
    (r"[\p{ASCII}é]", "é", "Ω"),
    (r"[\P{ASCII}x]", "Ω", "a"),
    (r"\p{Letter}", "é", "1"),
    (r"[^\p{lowercase_letter}]", "A", "a"),
    (r"\p{lu}", "A", "a"),
    (r"\pl", "a", "1"),
    (r"\p{greek}", "Ω", "a"),
    (r"\p{^greek}", "a", "Ω"),
    (r"\P{^Greek}", "Ω", "a"),
    (r"\p{old_italic}", "\U00010300", "a"),
    (r"\p{LC}", "a", "ª"),
    (r"\p{Assigned}", "a", "\u0378"),
    (r"\p{Cn}", "\u0378", "a"),
    (r"[\P{Cn}]", "a", "\u0378"),
    (r"\p{Any}", "a", ""),
    (r"\Q\C(?<é>\p{x}{999999999}\E", r"\C(?<é>\p{x}{999999999}", "a"),
    (r"[(?<é>]", "é", "a"),
    (r"\(?<é>", "(<é>", "é"),
    ("a{,2}", "a{,2}", "aa"),
    (r"[[:alpha:]\d]", "7", "_"),
    (r"[]a]", "]", "b"),
    (r"[^]a]", "b", "]"),
]

REFUSED = [
    r"\C",
    r"[a]\C",
    "(?<é>a)",
    "(?P<é>a)",
    "a{100000000}",
    "a{" + "9" * 5000 + "}",
    "a{1,99999999999}",
    "a{1001}",
    r"\p{Nonsense}",
    "\\p\u017f",
    r"[\p{Cn}]",
    "(?=a)",
    r"(a)\1",
    "a++",
    "[",
    "\\",
]


@pytest.mark.parametrize(("value", "matching", "other"), MATCHES)
def test_what_go_reads_differently_is_translated(value: str, matching: str, other: str) -> None:
    """Names of Unicode classes in any case, long names, and plain text that only looks like an expression."""
    matches = compile_anchored(value)
    assert (matches(matching), matches(other)) == (True, False)


@pytest.mark.parametrize("value", REFUSED)
def test_what_go_refuses_is_refused(value: str) -> None:
    """A rule must not mean more here than it may in Alertmanager."""
    with pytest.raises(RegexError, match=r"\w"):
        compile_anchored(value)


def test_a_large_expression_gets_the_memory_it_needs() -> None:
    """Go limits repetition, not memory."""
    matches = compile_anchored(r"\pL{500}")
    assert matches("é" * 500)


def test_no_expression_can_be_made_to_hang() -> None:
    """This one takes a backtracking engine longer than the age of the universe."""
    assert not compile_anchored("(a|a)*(a|a)*b")("a" * 5000)
