"""What an alert says goes into PromQL as a whole quoted string, or not at all: labels come from strangers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.promql import PromqlTemplate
from rules.templates import LabelMissing, Lookup, TemplateError

EXPANDED = {
    "no look-up": ("sum(rate(x[5m]))", "sum(rate(x[5m]))"),
    "in double quotes": ('up{job="{{ $labels.job }}"}', 'up{job="shop"}'),
    "in single quotes": ("up{job='{{ $labels.job }}'}", 'up{job="shop"}'),
    "in backquotes": ("up{job=`{{ $labels.job }}`}", 'up{job="shop"}'),
    "a label with a dot": ("up{job='{{ index $labels \"service.name\" }}'}", 'up{job="a.b"}'),
    "quotes within quotes": ('up{job="{{ index $labels "service.name" }}"}', 'up{job="a.b"}'),
    "an annotation": ('up{job="{{ $annotations.team }}"}', 'up{job="red"}'),
    "a quote in the value": ('up{job="{{ $labels.odd }}"}', r'up{job="\"} or vector(1) or {x=\"\n\\"}'),
    "where a regular expression stands": ('up{job=~"{{ index $labels `service.name` }}"}', r'up{job=~"a\\.b"}'),
    "where one is refused": ('up{job!~ "{{ $labels.any }}"}', r'up{job!~ "\\.\\*"}'),
    "in a comment": ("up # {{ $labels.job }} is for people", "up # {{ $labels.job }} is for people"),
    "a brace in a string": ('x{a="{}", b="{{ $labels.job }}"}', 'x{a="{}", b="shop"}'),
}
LABELS = {"job": "shop", "service.name": "a.b", "odd": '"} or vector(1) or {x="\n\\', "any": ".*"}


@pytest.mark.parametrize(("text", "wanted"), EXPANDED.values(), ids=EXPANDED)
def test_a_value_becomes_a_string_literal(text, wanted):
    """Whatever it holds; beside `=~` it is no regular expression."""
    assert PromqlTemplate(text).expand(LABELS, {"team": "red"}) == wanted


REFUSED = {
    "bare": "up{job={{ $labels.job }}}",
    "as a name": "{{ $labels.metric }} > 1",
    "with something before": 'up{job="x-{{ $labels.job }}"}',
    "with something after": 'up{job="{{ $labels.job }}.*"}',
    "two at once": 'up{job="{{ $labels.a }}{{ $labels.b }}"}',
    "with a space": 'up{job=" {{ $labels.job }}"}',
    "never closed": 'up{job="{{ $labels.job"}',
    "a quote left open": 'up{job="{{ $labels.job }}}',
    "in a comment that ended": "up # for people\n + {{ $labels.job }}",
    "behind a string with a hash": 'up{a="#"} + {{ $labels.job }}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_with_what_to_write(text):
    """When the rule is read, and not when it is 3 a.m."""
    with pytest.raises(TemplateError, match=r"can only be a whole quoted string in PromQL.*write it like job="):
        PromqlTemplate(text)


def test_what_is_no_look_up_says_so():
    """No code runs here either."""
    with pytest.raises(TemplateError, match=r"is not a look-up: write \{\{ \$labels.job \}\}"):
        PromqlTemplate('up{job="{{ .Labels.job }}"}')


def test_a_missing_label_is_not_an_empty_string():
    """It would select the series that have none."""
    template = PromqlTemplate('up{job="{{ $labels.job }}"}')
    assert template.lookups == (Lookup("labels", "job"),)
    with pytest.raises(LabelMissing):
        template.expand({"job": ""}, {})


@given(st.text(min_size=1))
def test_no_value_leaves_its_quotes(value):
    """What is sent reads back as the value, and nothing stands after it."""
    sent = PromqlTemplate('up{job="{{ $labels.job }}"}').expand({"job": value}, {})
    assert sent.startswith("up{job=")
    assert sent.endswith("}")
    assert json.loads(sent[len("up{job=") : -1]) == value
