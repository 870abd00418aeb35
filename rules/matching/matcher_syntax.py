"""What the two matcher grammars share."""

from __future__ import annotations

from typing import TypeAlias

Triple: TypeAlias = tuple[str, str, str]
"""Name, operator and value of one matcher, as written, before its regular expression is compiled."""

SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space as Go's `unicode.IsSpace` has it; Python's `str.isspace` also counts U+001C to U+001F."""

RESERVED = frozenset(SPACE + "{}!=~,\\\"'`")
"""Characters that end, or may not be in, a name or value without quotes."""


class MatcherError(ValueError):
    """This text is not a list of matchers that Alertmanager would accept.

    `offset` counts characters from the start of the text to the mistake, where that is known.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
