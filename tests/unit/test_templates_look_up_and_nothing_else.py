"""A template puts the alert's values in; whatever else stands in double braces is a mistake with a hint."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.templates import LabelMissing, Template, TemplateError

LABELS = {"service": "shop", "service.name": "cart", "empty": "", "größe": "10"}
ANNOTATIONS = {"runbook": "https://runbooks/1"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("shop", "shop"),
        ("{{ $labels.service }}", "shop"),
        ("{{$labels.service}}", "shop"),
        ("{{\t$labels.service\n}}", "shop"),
        ("a-{{ $labels.service }}-b-{{ $annotations.runbook }}", "a-shop-b-https://runbooks/1"),
        ('{{ index $labels "service.name" }}', "cart"),
        ("{{index $labels `service.name`}}", "cart"),
        ('{{ index $annotations "runbook" }}', "https://runbooks/1"),
        ("a  {{- $labels.service }} b", "ashop b"),
        ("a {{ $labels.service -}}\n b", "a shopb"),
        ("{{ $labels.größe }}", "10"),
        ("{ $labels.service } }}", "{ $labels.service } }}"),
    ],
)
def test_look_ups_are_replaced_and_the_rest_stays(text: str, expanded: str) -> None:
    """White space inside the braces does not matter, and a trim mark takes it away outside them."""
    assert Template(text).expand(LABELS, ANNOTATIONS) == expanded


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{{ $label.service }}", "write {{ $labels.service }}"),
        ("{{ $Labels.service }}", "write {{ $labels.service }}"),
        ("{{ labels.service }}", "write {{ $labels.service }}"),
        ("{{ .Labels.service }}", "write {{ $labels.service }}"),
        ("{{ .CommonLabels.service }}", "write {{ $labels.service }}"),
        ("{{ $annotation.runbook }}", "write {{ $annotations.runbook }}"),
        ('{{ $labels["service"] }}', "write {{ $labels.service }}"),
        ("{{ $labels.service.name }}", 'write {{ index $labels "service.name" }}'),
        ("{{ $labels.service-name }}", 'write {{ index $labels "service-name" }}'),
        ('{{ index .Labels "service.name" }}', 'write {{ index $labels "service.name" }}'),
        ("{{ $labels.service | toUpper }}", "no code runs here"),
        ("{{ if $labels.service }}", "no code runs here"),
        ("{{ $value }}", "write {{ $labels.NAME }}"),
        ("{{ }}", "write {{ $labels.NAME }}"),
        ("{{-$labels.service}}", "write {{ $labels.service }}"),
        ("{{ $labels.service", "add }} at its end"),
    ],
)
def test_a_near_miss_is_answered_with_what_was_meant(text: str, hint: str) -> None:
    """People know these names from Prometheus, Alertmanager and Python."""
    with pytest.raises(TemplateError) as refused:
        Template(text)
    assert hint in str(refused.value)


def test_a_mistake_knows_its_place() -> None:
    """Counted from the start of the text to the opening braces."""
    with pytest.raises(TemplateError) as refused:
        Template("{{ $labels.a }} {{ $label.b }}")
    assert refused.value.offset == 16


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_missing_or_empty_label_is_named(name: str) -> None:
    """An empty label is no label to Prometheus."""
    with pytest.raises(LabelMissing, match=f"no label {name}") as missing:
        Template(f"a-{{{{ $labels.{name} }}}}").expand(LABELS, ANNOTATIONS)
    assert missing.value.name == name


def test_a_missing_annotation_is_named_as_one() -> None:
    """The message sends the reader to the right part of the alerting rule."""
    with pytest.raises(LabelMissing, match="no annotation summary"):
        Template("{{ $annotations.summary }}").expand(LABELS, ANNOTATIONS)


def test_a_template_says_what_it_needs() -> None:
    """For linters."""
    lookups = Template("{{ $labels.a }}{{ $annotations.b }}").lookups
    assert [(lookup.source, lookup.name) for lookup in lookups] == [("labels", "a"), ("annotations", "b")]


@pytest.mark.parametrize("text", ["{{" * 200_000, "{{ $labels.a }}" + "{{" * 200_000])
def test_many_braces_are_refused_as_one_is(text: str) -> None:
    """Each of them is looked at once."""
    with pytest.raises(TemplateError, match="never closed"):
        Template(text)


@given(st.text(min_size=1))
def test_a_value_is_data(value: str) -> None:
    """Whatever a label holds, braces included, it is put in as it is."""
    assert Template("<{{ $labels.x }}>").expand({"x": value}, {}) == f"<{value}>"


@given(st.text(alphabet='{}$. -labels"`x|', max_size=30))
def test_any_text_is_a_template_or_a_mistake(text: str) -> None:
    """Nothing but TemplateError and LabelMissing ever comes out."""
    with contextlib.suppress(TemplateError, LabelMissing):
        Template(text).expand({"x": "1"}, {})
