"""Where YAML reads something else than a person meant, the message says what to write."""

from __future__ import annotations

import pytest

from rules.rulefile import RuleFileErrors, parse_rules

FILE = """\
version: rules/v1
rules:
  - name: a
    when:
      matchers:
        - a="b"
    target: {{hosts: {{}}, only: {{x: {value}}}}}
    to: [{{version: {value}}}]
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(RuleFileErrors) as caught:
        parse_rules(text, "r.yaml")
    return [f"{error.line}:{error.column}: {error.message}" for error in caught.value.errors]


def with_matcher(line: str) -> str:
    return FILE.format(value="y").replace('- a="b"', line)


MATCHERS = {
    '- {foo="bar"}': """6:11: YAML reads { } as a mapping; put it in quotes to make it text: '{foo="bar"}'""",
    '- {foo="a", b=~"c"}': """put it in quotes to make it text: '{foo="a", b=~"c"}'""",
    '- "a"="b"': """6:11: YAML ends the text at its second quote; put the whole matcher in quotes: '"a"="b"'""",
    "- 'a'!~'b'": "put the whole matcher in quotes: '''a''!~''b'''",
    '- summary="a #b"': """put the whole text in quotes: 'summary="a #b"'""",
    '- summary="a: b"': """YAML reads this as a mapping, because of its `: `; put it in quotes: 'su""",
    "- 5": '6:11: 5 is a number, not text; write it in quotes: "5"',
    "-": "6:10: its value is missing",
    '- summary="a': "in YAML, put the whole matcher in single quotes",
    "- [a=b]": "6:11: a list cannot be here",
    '- @a="b"': """6:11: a text cannot begin with @ in YAML; put it in quotes: '@a="b"'""",
    "\t- a=b": "YAML does not take a tab here; indent with spaces",
    "- *canary": "6:11: *canary is an alias, and no &canary comes before it",
    '- !re a="b"': "6:11: tags like !re have no meaning here",
}  # fmt: skip


@pytest.mark.parametrize(("line", "hint"), MATCHERS.items(), ids=MATCHERS)
def test_a_matcher_that_yaml_takes_apart(line, hint):
    """The hint shows the matcher as it must be written."""
    (found,) = mistakes(with_matcher(line))
    assert hint in found


SCALARS = {
    "1.10": "1.10 is a number, not text",
    "42": "42 is a number, not text",
    "0x1F": "0x1F is a number, not text",
    "1e3": "1e3 is a number, not text",
    "1.": "1. is a number, not text",
    "true": "true is true or false, not text",
    "on": "on is true or false to some YAML readers, not text",
    "No": "No is true or false to some YAML readers, not text",
    "2024-05-20": "2024-05-20 is a date to some YAML readers, not text",
    "017": "017 is an octal number to some YAML readers, not text",
    "1_000": "1_000 is a number to some YAML readers, not text",
    "12:30": "12:30 is a number in base 60 to some YAML readers, not text",
}


@pytest.mark.parametrize(("value", "hint"), SCALARS.items(), ids=SCALARS)
def test_nothing_is_converted_to_text_silently(value, hint):
    """`version: 1.10` would become 1.1; in quotes it is what it looks like."""
    if ":" not in value:
        assert [
            f'7:35: {hint}; write it in quotes: "{value}"',
            f'8:20: {hint}; write it in quotes: "{value}"',
        ] == (mistakes(FILE.format(value=value)))
    (rule,) = parse_rules(FILE.format(value=f'"{value}"').replace("12:30", "12-30"), "r.yaml").rules
    assert rule.expanded()["target"]["only"] == {"x": [value.replace(":", "-")]}


def test_a_template_without_quotes():
    """YAML takes the braces for a mapping; alone and with text after it."""
    for written in ("{{ $labels.x }}", "{{ $labels.x }}:9100", '{{ index $labels "a.b" }}'):
        text = FILE.format(value="y") + f"  - name: b\n    description: x\n    target:\n      service: {written}\n"
        found = mistakes(text)
        assert (
            f"12:16: YAML reads an unquoted {{{{ as a mapping; put the whole text in quotes: '{written}'" in found
        )


def test_what_cannot_be_read_does_not_hide_other_mistakes():
    """A matcher that is not YAML is reported, and the rest of the file is checked all the same."""
    text = with_matcher('- "a"="b"\n        - x\n        - "c"="d"').replace("to:", "too:")
    assert [found.split(": ")[0] for found in mistakes(text)] == ["6:11", "7:11", "8:11", "10:5"]


PLACES = {
    "two documents": ("version: rules/v1\nrules: []\n---\nrules: []\n", "3:1: a second document begins here"),
    "an empty file": ("", "1:1: the file is empty"),
    "only comments": ("# nothing\n", "1:1: the file is empty"),
    "a list": ("- a\n", "1:1: the file must be a mapping"),
    "YAML 1.1": ("%YAML 1.1\n---\nversion: rules/v1\n", "2:1: files are read as YAML 1.2"),
    "a merge key": ("version: rules/v1\nrules: []\n<<: {}\n", "3:1: merge keys (<<) are not part of YAML 1.2"),
    "a key that is no text": ("version: rules/v1\nrules: []\n1: x\n", "3:1: 1 is a number, not text"),
    "a quote left open": ('version: rules/v1\nrules: "x\n', "2:8: this quote is never closed"),
    "wrong indentation": ("version: rules/v1\n rules: []\n", "2:7: a second `: ` on this line, or"),
    "a backslash": ('version: rules/v1\nrules: ["\\q"]\n', "2:11: a backslash begins an escape"),
    "beyond Unicode": ('version: rules/v1\nrules: ["\\U00110000"]\n', "2:10: \\U00110000 is no character"),
    "half a surrogate pair": ('version: "\\ud800"\nrules: []\n', "1:10: this text holds half of a surrogate pair"),
    "NUL": ("version: rules/v1\nrules: \0[]\n", "2:8: the character U+0000 cannot stand in YAML"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), PLACES.values(), ids=PLACES)
def test_a_file_that_is_not_what_it_should_be(text, wanted):
    """Whatever is wrong with the file as a whole has a place too."""
    assert mistakes(text)[0].startswith(wanted)


def test_bytes_that_are_not_utf_8():
    """The place of the first wrong byte is told; UTF-16 is recognised; a byte order mark of UTF-8 is fine."""
    for data, wanted in (
        (b"version: rules/v1\nrules: \xe9\n", "r.yaml:2:8: the byte 0xe9 is not UTF-8"),
        ("version: rules/v1".encode("utf-16"), "r.yaml:1:1: the file is UTF-16; save it as UTF-8"),
    ):
        with pytest.raises(RuleFileErrors) as caught:
            parse_rules(data, "r.yaml")
        assert str(caught.value).startswith(wanted)
    assert parse_rules(b"\xef\xbb\xbf" + FILE.format(value="y").encode(), "r.yaml").rules


def test_json_is_yaml():
    """Escapes of JSON are read as JSON means them."""
    text = '{"version": "rules\\/v1", "rules": [{"name": "a", "description": "\\ud83d\\ude00", "when": {"matchers":["a=b"]}, "target":{"hosts":{}}, "to":["previous"]}]}'  # noqa: E501 -- as JSON is
    assert parse_rules(text, "r.json").rules[0].description == "\U0001f600"
