r"""Alertmanager's classic matcher grammar: `{foo="bar", dings!=bums, }`, as forgiving as the original.

It trims one `{` in front and one `}` behind, each whether or not the other is there, splits at commas outside
double quotes, and knows the escapes of OpenMetrics (`\"`, `\n`, `\\`); any other backslash stands for
itself.
"""

from __future__ import annotations

import re

from rules.matching.matcher_syntax import SPACE, MatcherError, Triple

_BLANK = "\t\n\f\r "
_HEAD = re.compile(rf"[{_BLANK}]*([a-zA-Z_:][a-zA-Z0-9_:]*)[{_BLANK}]*(=~|!=|!~|=)")
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def parse_classic(text: str) -> tuple[Triple, ...]:
    """Read a list of matchers; raise `MatcherError` for what the classic parser refuses."""
    return tuple(_one(part) for part in _split(text.removeprefix("{").removesuffix("}")))


def _split(text: str) -> list[str]:
    """Cut at commas outside quotes. Only what follows the last comma may be blank."""
    parts, start, quoted, escaped = [], 0, False, False
    for at, char in enumerate(text):
        if char == ",":  # leaves `escaped` as it is, inside quotes and out: so does Alertmanager
            if not quoted:
                parts.append(text[start:at])
                start = at + 1
        elif char == "\\":
            escaped = not escaped
        else:
            quoted ^= char == '"' and not escaped
            escaped = False
    last = text[start:].strip(SPACE)
    return [*parts, last] if last else parts


def _one(text: str) -> Triple:
    head = _HEAD.match(text)
    if head is None:
        raise MatcherError(f'{text!r} is not a matcher: write name, operator (=, !=, =~, !~) and "value"')
    return head[1], head[2], _unescape(text[head.end() :].strip(_BLANK))


def _unescape(raw: str) -> str:
    quoted = raw.startswith('"')
    rest = raw[1:] if quoted else raw
    closed = not quoted
    out: list[str] = []
    at = 0
    while at < len(rest):
        char, last = rest[at], at == len(rest) - 1
        if char == "\\" and not last:
            at += 1
            out.append(_ESCAPES.get(rest[at], "\\" + rest[at]))
        elif char != '"':
            out.append(char)
        elif closed or not last:
            raise MatcherError(f'the value {raw} has a double quote inside: write it as \\"')
        else:
            closed = True
        at += 1
    if not closed:
        raise MatcherError(f"the value {raw} has no closing double quote: add it at the end")
    return "".join(out)
