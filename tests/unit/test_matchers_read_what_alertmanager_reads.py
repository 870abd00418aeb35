"""`parse_matchers` accepts, refuses and reads exactly what Alertmanager does in its default (fallback) mode.

The answers in these tables were given by Alertmanager's own code.
"""

from __future__ import annotations

import pytest

from rules.matchers import MatcherError, parse_matchers

READ_AS = [
    ("foo=bar", [("foo", "=", "bar")]),
    ('foo="bar"', [("foo", "=", "bar")]),
    (' foo = "bar" ', [("foo", "=", "bar")]),
    ('{foo="bar"}', [("foo", "=", "bar")]),
    ('{foo="bar",}', [("foo", "=", "bar")]),
    ('{ foo = "bar" , dings != bums , }', [("foo", "=", "bar"), ("dings", "!=", "bums")]),
    ("foo=bar,dings!=bums", [("foo", "=", "bar"), ("dings", "!=", "bums")]),
    ('foo=~"d.*",bar!~e|f', [("foo", "=~", "d.*"), ("bar", "!~", "e|f")]),
    ("foo:bar=baz", [("foo:bar", "=", "baz")]),
    ("_foo=bar", [("_foo", "=", "bar")]),
    ("0foo=bar", [("0foo", "=", "bar")]),
    ("foo-bar=baz", [("foo-bar", "=", "baz")]),
    ("foo.bar=baz", [("foo.bar", "=", "baz")]),
    ('é="x"', [("é", "=", "x")]),
    ('"foo bar"="baz"', [("foo bar", "=", "baz")]),
    ('"foo"="bar"', [("foo", "=", "bar")]),
    ('""="bar"', [("", "=", "bar")]),
    ("foo=", [("foo", "=", "")]),
    ('foo=""', [("foo", "=", "")]),
    ("foo!=", [("foo", "!=", "")]),
    ("foo=~", [("foo", "=~", "")]),
    ("foo==bar", [("foo", "=", "=bar")]),
    ("foo=!bar", [("foo", "=", "!bar")]),
    ("foo=~=bar", [("foo", "=~", "=bar")]),
    ("foo= ~bar", [("foo", "=", "~bar")]),
    ('"foo bar"=baz,', [("foo bar", "=", "baz")]),
    ("", []),
    ("   ", []),
    ("{}", []),
    ("{", []),
    ("}", []),
    ("{ }", []),
    (" {}", []),
    ("{} ", []),
    ("foo=bar,", [("foo", "=", "bar")]),
    ("foo=bar, ", [("foo", "=", "bar")]),
    ("{foo=bar", [("foo", "=", "bar")]),
    ("foo=bar}", [("foo", "=", "bar")]),
    ("{foo=bar}}", [("foo", "=", "bar}")]),
    ("{foo=bar} ", [("foo", "=", "bar}")]),
    (" {foo=bar}", [("foo", "=", "bar")]),
    (r'foo="b\"ar"', [("foo", "=", 'b"ar')]),
    (r"foo=b\"ar", [("foo", "=", 'b"ar')]),
    (r'foo="b\nar"', [("foo", "=", "b\nar")]),
    (r'foo="b\\ar"', [("foo", "=", r"b\ar")]),
    (r'foo="b\ar"', [("foo", "=", r"b\ar")]),
    (r'foo="b\tar"', [("foo", "=", r"b\tar")]),
    (r'foo="b\dar"', [("foo", "=", r"b\dar")]),
    (r'foo="\\"', [("foo", "=", "\\")]),
    ("foo=\\", [("foo", "=", "\\")]),
    ("foo=\\\\", [("foo", "=", "\\")]),
    (r'foo=~"\d+"', [("foo", "=~", r"\d+")]),
    (r'foo=~"\\d+"', [("foo", "=~", r"\d+")]),
    (r'"foo bar"=~"\\d+"', [("foo bar", "=~", r"\d+")]),
    (
        r'"foo bar"="\x41\101\u00e9\U0001F642\a\b\f\n\r\t\v\\\""',
        [("foo bar", "=", 'AA\xe9\U0001f642\x07\x08\x0c\n\r\t\x0b\\"')],
    ),
    (r'"foo bar"="\xe2\x82\xac"', [("foo bar", "=", "€")]),
    (r'"\u0066oo bar"="x"', [("foo bar", "=", "x")]),
    (r'foo="\x41"', [("foo", "=", r"\x41")]),
    ('foo="a,b"', [("foo", "=", "a,b")]),
    (r'foo="a\",b"', [("foo", "=", 'a",b')]),
    (r"foo=a\",b=c", [("foo", "=", 'a"'), ("b", "=", "c")]),
    ("foo={bar}", [("foo", "=", "{bar")]),
    ('foo="{bar}"', [("foo", "=", "{bar}")]),
    ("foo=b{ar", [("foo", "=", "b{ar")]),
    ("foo=b}ar", [("foo", "=", "b}ar")]),
    ("foo=b=ar", [("foo", "=", "b=ar")]),
    ("foo=b!ar", [("foo", "=", "b!ar")]),
    ("foo='bar'", [("foo", "=", "'bar'")]),
    ("foo=`bar`", [("foo", "=", "`bar`")]),
    ("foo=bar baz", [("foo", "=", "bar baz")]),
    ("foo=🙂", [("foo", "=", "🙂")]),
    ("🙂=foo", [("🙂", "=", "foo")]),
    ("foo=bar;baz=1", [("foo", "=", "bar;baz=1")]),
    (
        'alertname="HighErrorRate",severity=~"critical|warning",env!="test"',
        [("alertname", "=", "HighErrorRate"), ("severity", "=~", "critical|warning"), ("env", "!=", "test")],
    ),
    ('summary="a #b"', [("summary", "=", "a #b")]),
    ('foo="b\nar"', [("foo", "=", "b\nar")]),
    ("foo=bar\n", [("foo", "=", "bar")]),
    ("\n", []),
    ("foo=bar\r\n", [("foo", "=", "bar")]),
    ("foo=\xa0bar", [("foo", "=", "\xa0bar")]),
    ('foo="bar"\xa0', [("foo", "=", "bar")]),
    ("foo=bar\xa0,", [("foo", "=", "bar\xa0")]),
    ("foo\xa0=bar", [("foo", "=", "bar")]),
    ("\xa0foo=bar", [("foo", "=", "bar")]),
    ("foo=bar\x0b", [("foo", "=", "bar")]),
    ("foo=\x0bbar,a=b", [("foo", "=", "\x0bbar"), ("a", "=", "b")]),
    ("foo=bar\x1c", [("foo", "=", "bar\x1c")]),
    ("foo=bar\u2028", [("foo", "=", "bar")]),
    ("foo=\x00", [("foo", "=", "\x00")]),
    ("foo\x00=bar", [("foo\x00", "=", "bar")]),
    ("\ufefffoo=bar", [("\ufefffoo", "=", "bar")]),
    ("foo=\u200bbar", [("foo", "=", "\u200bbar")]),
    ('foo=~"a)|(?:b"', [("foo", "=~", "a)|(?:b")]),
    ('foo=~"a{1000}"', [("foo", "=~", "a{1000}")]),
    (r'foo=~"\pL"', [("foo", "=~", r"\pL")]),
    ('foo=~"(?<n>a)"', [("foo", "=~", "(?<n>a)")]),
    ('foo=~"(?P<n>a)"', [("foo", "=~", "(?P<n>a)")]),
    (r'foo=~"\Qa.b\E"', [("foo", "=~", r"\Qa.b\E")]),
    ('foo=~"[[:alpha:]]"', [("foo", "=~", "[[:alpha:]]")]),
    ('foo=~""', [("foo", "=~", "")]),
    ("foo=~|", [("foo", "=~", "|")]),
    ('foo="["', [("foo", "=", "[")]),
]

REFUSED = [
    "=bar",
    "foo",
    "foo!bar",
    "foo~bar",
    '"foo"=',
    '"foo bar"=baz,,',
    "{{}}",
    "{,}",
    ",",
    ",,",
    "foo=bar,,",
    ",foo=bar",
    "{{foo=bar}",
    '{foo="bar"}x',
    '{"foo bar"="baz"',
    '"foo bar"="baz"}',
    'foo="bar"baz',
    'foo="bar',
    'foo=bar"',
    'foo=b"ar',
    'foo="b"ar"',
    r'foo="\"',
    r'"foo bar"=~"\d+"',
    r'"foo bar"="\xff"',
    r'"foo bar"="\400"',
    r'"foo bar"="\8"',
    r'"foo bar"="\ud800"',
    r'"foo bar"="\U00110000"',
    '"foo bar"="\\\'"',
    r'"foo bar"="\e"',
    r'"foo bar"="\x4"',
    r"foo=a\,b",
    "'foo'=bar",
    "foo bar=baz",
    '"foo bar"=bar baz',
    'foo="bar" baz="1"',
    'foo="bar" and baz="1"',
    '"foo bar"="b\nar"',
    'foo=~"["',
    "foo=~[",
    'foo=~"("',
    'foo=~"(?=a)"',
    r'foo=~"(a)\1"',
    '"a b"=~"("',
    'foo=~"*"',
    r'foo=~"\C"',
    'foo=~"a{1001}"',
    'foo=~"a**"',
    'foo=~"a++"',
    r'foo=~"\Z"',
    'foo=~"(?P=n)"',
    'foo=~"[z-a]"',
]


@pytest.mark.parametrize(("text", "matchers"), READ_AS)
def test_accepted_text_is_read_as_alertmanager_reads_it(text: str, matchers: list[tuple[str, str, str]]) -> None:
    """Classic wins wherever it can read the text; names in quotes and Go's escapes are UTF-8's alone."""
    assert matchers == [(matcher.name, matcher.op, matcher.value) for matcher in parse_matchers(text)]


@pytest.mark.parametrize("text", REFUSED)
def test_text_that_alertmanager_refuses_is_refused(text: str) -> None:
    """What neither of its two parsers accepts is an error, with a message that says something."""
    with pytest.raises(MatcherError, match=r"\w"):
        parse_matchers(text)


def test_half_a_surrogate_pair_is_refused() -> None:
    """Python can hold text that no UTF-8 file can; Alertmanager never sees it."""
    with pytest.raises(MatcherError, match="not valid Unicode"):
        parse_matchers("foo=\ud800")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("foo", "expected one of =, !=, =~, !~"),
        ('foo="bar" baz="1"', "at character 11: expected a comma or the end, found baz"),
        ('foo="bar', "the double quote has no other: put one before and one after the value"),
        ('"foo bar"=~"\\d+"', "write \\\\ for a backslash"),
        ('foo=~"("', 'foo=~"(" is not a regular expression (RE2): missing ): ('),
        (r'foo=~"\C"', "use . for any character"),
        ('"foo bar"=', r'an empty one is ""'),
        ('{"foo bar"="baz"', "the closing brace"),
        ("'foo'=bar", "put the name or value in double quotes"),
    ],
)
def test_a_refusal_says_what_to_write(text: str, said: str) -> None:
    """The message is for the person who wrote the rule."""
    with pytest.raises(MatcherError) as refused:
        parse_matchers(text)
    assert said in str(refused.value)


def test_a_refusal_knows_its_place() -> None:
    """The rule file's own messages count columns from it."""
    with pytest.raises(MatcherError) as refused:
        parse_matchers('foo="bar" baz="1"')
    assert refused.value.offset == 10
