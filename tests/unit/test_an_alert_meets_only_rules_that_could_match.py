"""The index finds the rules that match, in file order, and spares an alert the others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.matchers import Matcher, parse_matchers
from rules.matching.index import RuleIndex, literal_values
from rules.rule import HostsTarget, Rule, Target, When
from rules.to import Previous

NAMES = st.sampled_from(["alertname", "service", "track", "x"])
VALUES = st.sampled_from(["", "a", "b", "c", "a|b"])
EXPRESSIONS = st.sampled_from(["a", "a|b", "a|", "(a|c)", "(?:b|c)", ".*", "a.*", r"a\|b", "", "[ab]", "b+"])
MATCHERS = st.one_of(
    st.builds(Matcher, NAMES, st.sampled_from(["=", "=", "!="]), VALUES),
    st.builds(Matcher, NAMES, st.sampled_from(["=~", "!~"]), EXPRESSIONS),
)
LISTS = st.lists(MATCHERS, max_size=3).map(tuple)
WHENS = st.builds(When, LISTS, st.lists(LISTS, max_size=3).map(tuple))
LABELS = st.dictionaries(NAMES, VALUES)


def rule(name: str, when: When) -> Rule:
    return Rule(name, when, Target(HostsTarget()), (Previous(),))


def on(*matchers: str, any_of: tuple[str, ...] = ()) -> When:
    return When(parse_matchers(",".join(matchers)), tuple(parse_matchers(text) for text in any_of))


def names(rules: tuple[Rule, ...]) -> list[str]:
    return [rule.name for rule in rules]


@settings(max_examples=500)
@given(st.lists(WHENS, max_size=40), st.lists(LABELS, max_size=5))
def test_the_index_finds_what_a_look_at_every_rule_finds(whens: list[When], alerts: list[dict[str, str]]) -> None:
    """Whatever the rules and the labels."""
    rules = tuple(rule(str(place), when) for place, when in enumerate(whens))
    index = RuleIndex(rules)
    for labels in alerts:
        assert names(index.match(labels)) == [each.name for each in rules if each.when.matches(labels)]


@pytest.mark.parametrize(
    ("when", "met_by", "not_by"),
    [
        (on('service="s1"'), {"service": "s1"}, {"service": "s2"}),
        (on('service=~"s1|s3"'), {"service": "s3"}, {"service": "s2"}),
        (on('service=~"(s1|s3)"', 'x!="y"'), {"service": "s1"}, {"x": "z"}),
        (on(any_of=('service="s1"', 'job="j1",x=~".+"')), {"job": "j1"}, {"x": "z"}),
        (on('severity=""', 'service="s1"'), {"service": "s1"}, {"severity": "warning"}),
    ],
)
def test_a_rule_is_met_through_the_values_it_wants(
    when: When, met_by: dict[str, str], not_by: dict[str, str]
) -> None:
    """Equal to a value, one of several, or any list that says so."""
    index = RuleIndex([rule("r", when)])
    assert (names(index.candidates(met_by)), names(index.candidates(not_by))) == (["r"], [])


@pytest.mark.parametrize(
    "when", [on('service=""'), on('service!="x"'), on('service=~"s.*"'), on(any_of=('a="1"', 'b!="2"')), on()]
)
def test_a_rule_that_wants_no_known_value_is_met_by_every_alert(when: When) -> None:
    """A missing label counts as empty, so `foo=""` can be found under no pair."""
    assert names(RuleIndex([rule("r", when)]).candidates({"x": "y"})) == ["r"]


@pytest.mark.parametrize("shape", ["own service", "own pair", "shared alert name", "one of three"])
def test_ten_thousand_rules_are_as_few_as_ten(shape: str) -> None:
    """An alert is compared with a handful, however the file is made up."""

    def when(number: int) -> When:
        match shape:
            case "own service":
                return on(f'service="s{number}"')
            case "own pair":
                return on(f'alertname="a{number % 100}"', f'service="s{number // 100}"', 'severity="critical"')
            case "shared alert name":
                return on('alertname="a1"', f'service="s{number}"', 'track!="stable"')
            case _:
                return on(f'service=~"s{number}|t{number}|u{number}"', 'alertname="a1"')

    index = RuleIndex([rule(str(number), when(number)) for number in range(10_000)])
    labels = {"alertname": "a1", "service": "s42", "severity": "critical", "instance": "web2:9100"}
    assert 1 <= len(index.candidates(labels)) <= 4


@pytest.mark.parametrize(
    ("regex", "values"),
    [
        ("a", {"a"}),
        ("a|b c|d-e", {"a", "b c", "d-e"}),
        ("(a|b)", {"a", "b"}),
        ("(?:a|b)", {"a", "b"}),
        (r"a\.b|c", {"a.b", "c"}),
        (r"a\|b|c", {"a|b", "c"}),
        (r"a\\|b", {"a\\", "b"}),
        ("a|", set()),
        ("a.b", set()),
        ("a)|(?:b", set()),
        (r"\d", set()),
        ("(?i)a", set()),
        ("^a$", set()),
        ("(a)(b)", set()),
    ],
)
def test_an_expression_of_plain_alternatives_is_a_list_of_values(regex: str, values: set[str]) -> None:
    """Anything more stays an expression."""
    assert literal_values(regex) == values
