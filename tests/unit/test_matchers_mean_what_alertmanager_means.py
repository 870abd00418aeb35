"""A matcher holds for an alert exactly when Alertmanager's would."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.matchers import Matcher, MatcherError, Operator, parse_matchers

OPERATORS: list[Operator] = ["=", "!=", "=~", "!~"]

HOLDS = [
    ('foo="bar"', {"foo": "bar"}, True),
    ('foo="bar"', {"foo": "bars"}, False),
    ('foo="bar"', {}, False),
    ('foo!="bar"', {"foo": "baz"}, True),
    ('foo=~"ba."', {"foo": "bar"}, True),
    ('foo=~"ba."', {"foo": "bars"}, False),
    ('foo=~"ba."', {"foo": "xbar"}, False),
    ('foo=~"a|b"', {"foo": "b"}, True),
    ('foo=~"a|b"', {"foo": "bb"}, False),
    ('foo!~"a|b"', {"foo": "c"}, True),
    ('foo=~".*"', {"foo": "two\nlines"}, False),
    ('foo=~"(?s).*"', {"foo": "two\nlines"}, True),
    ('foo=~"(?i)BAR"', {"foo": "bar"}, True),
    ('foo=~"a)|(?:b"', {"foo": "axx"}, True),
    ('foo=~"a)|(?:b"', {"foo": "xxb"}, True),
    ('foo=~"a)|(?:b"', {"foo": "xax"}, False),
    (r'foo=~"\\pL+"', {"foo": "Ωé"}, True),
    (r'foo=~"\\p{letter}+"', {"foo": "Ωé"}, True),
    (r'foo=~"\\d"', {"foo": "٣"}, False),
    ("foo=~.", {"foo": "🙂"}, True),
]


@pytest.mark.parametrize(("text", "labels", "holds"), HOLDS)
def test_a_matcher_holds_as_in_alertmanager(text: str, labels: dict[str, str], holds: bool) -> None:
    """Regular expressions are RE2's, and must match the whole value."""
    (matcher,) = parse_matchers(text)
    assert matcher.matches(labels) is holds


def test_trap_18_a_value_that_ends_in_a_line_break_does_not_match() -> None:
    """Python's own `$` would let it match."""
    assert not Matcher("foo", "=~", "bar").matches({"foo": "bar\n"})
    assert Matcher("foo", "!~", "bar").matches({"foo": "bar\n"})


def test_trap_18_a_missing_label_counts_as_empty() -> None:
    """For all four operators; so `foo!="x"` and `foo=~".*"` match alerts without foo."""
    held = {
        text: all(matcher.matches({}) for matcher in parse_matchers(text))
        for text in (
            'foo=""',
            'foo!="x"',
            'foo=~".*"',
            'foo=~"x|"',
            'foo!~".+"',
            'foo!=""',
            'foo=~".+"',
            'foo!~".*"',
        )
    }
    assert [text for text, holds in held.items() if not holds] == ['foo!=""', 'foo=~".+"', 'foo!~".*"']


@given(st.sampled_from(OPERATORS[:2]), st.text(), st.dictionaries(st.text(max_size=2), st.text(max_size=2)))
def test_missing_and_empty_are_the_same(op: Operator, value: str, labels: dict[str, str]) -> None:
    """Whatever the matcher, a label that is not there and one that is empty cannot be told apart."""
    matcher = Matcher("foo", op, value)
    rest = {name: value for name, value in labels.items() if name != "foo"}
    assert matcher.matches(rest) is matcher.matches({**rest, "foo": ""})


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing but MatcherError ever comes out, and what was read can be written and read again."""
    try:
        matchers = parse_matchers(text)
    except MatcherError:
        return
    assert parse_matchers(",".join(map(str, matchers))) == matchers


@given(st.text(alphabet="{}=!~,\\\"'` \n\tab_0.*[]()|^$+?xun:é\xa0", max_size=16))
def test_any_text_of_the_grammar_is_read_or_refused(text: str) -> None:
    """The same, from the characters that mean something."""
    test_any_text_is_read_or_refused.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@given(st.text(), st.sampled_from(OPERATORS[:2]), st.text())
def test_a_matcher_is_read_back_from_its_own_text(name: str, op: Operator, value: str) -> None:
    """`str` writes every name and value so that the same matcher is read from it."""
    matcher = Matcher(name, op, value)
    assert parse_matchers(str(matcher)) == (matcher,)


def test_matchers_are_values() -> None:
    """Equal by what is written, usable in sets, and copied without their compiled expression."""
    matcher = Matcher("foo", "=~", "a|b")
    again = pickle.loads(pickle.dumps(matcher))
    assert {matcher, again, copy.deepcopy(matcher), *parse_matchers('foo=~"a|b"')} == {matcher}
    assert again.matches({"foo": "b"})


def test_an_unknown_operator_is_refused() -> None:
    """Only Alertmanager's four exist."""
    with pytest.raises(MatcherError, match="is not an operator"):
        Matcher("foo", "==", "bar")  # type: ignore[arg-type]
