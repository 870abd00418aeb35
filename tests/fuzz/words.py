"""The small languages in files and alerts: matchers, regular expressions, durations, templates, PromQL."""

from __future__ import annotations

import promql_parser

from fuzz.target import hold
from rules.durations import DurationError, parse_duration, write_duration
from rules.instances import read_instance
from rules.matchers import MatcherError, parse_matchers
from rules.matching.index import literal_values
from rules.matching.regexes import RegexError, compile_anchored
from rules.notifications import parse_timestamp
from rules.promql import PromqlTemplate
from rules.templates import LabelMissing, Template, TemplateError
from workers.verifying.expressions import Expression, read_expression


def matchers(case: tuple[str, dict[str, str]]) -> bool:
    """Check that what is read means the same when it is written and read again."""
    text, labels = case
    try:
        found = parse_matchers(text)
    except MatcherError as error:
        hold(str(error), "refused without a word")
        return False
    for one in found:
        hold(parse_matchers(str(one)) == (one,), f"{one} is read as something else")
        hold(isinstance(one.matches(labels), bool), f"{one} has no answer")
    return True


def regexes(case: tuple[str, str]) -> bool:
    """Check that an expression answers for every text, and matches the values that it is said to list."""
    value, text = case
    try:
        test = compile_anchored(value)
    except RegexError as error:
        hold(str(error), "refused without a word")
        return False
    test(text)
    for literal in literal_values(value):
        hold(test(literal), f"{literal!r} is listed, and does not match")
    return True


def durations(text: str) -> bool:
    """Check that a duration that is read is written as one, to the millisecond."""
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        hold("write" in str(error), f"no hint: {error}")
        return False
    hold(abs(parse_duration(write_duration(seconds)) - seconds) <= max(0.001, seconds / 1e9), f"{seconds} is lost")
    return True


def timestamps(text: str) -> bool:
    """Check that a time is milliseconds that JSON can hold, or none."""
    found = parse_timestamp(text)
    hold(found is None or abs(found) < 2**53, f"{found} is no time")
    return found is not None


def instances(text: str) -> bool:
    """Check that an identity that is read is written the same."""
    try:
        found = read_instance(text)
    except ValueError as error:
        hold("write" in str(error) or "cannot name" in str(error), f"no hint: {error}")
        return False
    hold(found.id == text and found.label, f"{found.id} is not {text}")
    return True


def templates(case: tuple[str, dict[str, str]]) -> bool:
    """Check that what a label says goes in as it is."""
    text, labels = case
    try:
        found = Template(text)
        said = found.expand(labels, labels)
    except TemplateError as error:
        hold(0 <= error.offset <= len(text), f"a mistake outside of the text: {error.offset}")
        return False
    except LabelMissing:
        return True
    for lookup in found.lookups:
        hold(labels[lookup.name] in said, f"{lookup.name} is not in {said!r}")
    return True


def promql(case: tuple[str, str]) -> bool:
    """Check that a value stays one whole string, whatever it holds; beside `=~` it matches itself alone."""
    text, value = case
    try:
        PromqlTemplate(text).expand({"job": value}, {"job": value})
    except (TemplateError, LabelMissing):
        accepted = False
    else:
        accepted = True
    if value:
        _stays_whole(value)
    return accepted


def _stays_whole(value: str) -> None:
    asked = PromqlTemplate('x{a="{{ $labels.v }}", b=~"{{ $labels.v }}", c=\'{{ $labels.v }}\'}')
    tree = promql_parser.parse(asked.expand({"v": value}, {}))
    hold(isinstance(tree, promql_parser.VectorSelector), f"{value!r} made another expression")
    told = {one.name: one.value for one in tree.matchers.matchers}
    hold(told.keys() == {"a", "b", "c"} and told["a"] == told["c"] == value, f"{value!r} became {told}")
    test = compile_anchored(told["b"])
    hold(test(value) and not test(value + "x") and not test("x" + value), f"{told['b']!r} matches not only itself")


def expressions(text: str) -> bool:
    """Check that an alerting rule's expression is read, or is not."""
    found = read_expression(text)
    hold(found is None or isinstance(found, Expression), "neither")
    if found is not None:
        hold(0 <= found.reach_s < float("inf"), f"looks back by {found.reach_s}")
    return found is not None
