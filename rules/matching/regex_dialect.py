r"""From Go's regular expressions to RE2's: the few places where one accepts what the other does not.

Go refuses `\C`, group names beyond ASCII, and repetition counts that RE2 would read as plain text.
Go reads names of Unicode classes in any case, and long ones (`\p{letter}`); RE2 wants `\p{L}`.
Not translated, but refused: a script's four-letter code (`\p{Grek}`), and a complement without an end of its
own inside brackets (`[\P{LC}x]`). Not checked: that Go nests groups a thousand deep and no deeper.
"""

from __future__ import annotations

import re
from types import MappingProxyType

_PIECE = re.compile(
    r"\\Q.*?(?:\\E|\Z)"
    r"|\\(?P<sign>[pP])(?:\{(?P<braced>[^}]*)\}|(?P<single>[^{]))"
    r"|(?P<byte>\\C)|\\."
    r"|\(\?P?<(?P<group>[^>]*)>"
    r"|\{(?P<from>[0-9]+)(?:,(?P<to>[0-9]*))?\}"
    r"|(?P<open>\[\^?\]?)|.",
    re.DOTALL,
)
_IN_BRACKETS = re.compile(
    r"(?P<end>\])|\[:.*?:\]|\\(?P<sign>[pP])(?:\{(?P<braced>[^}]*)\}|(?P<single>[^{]))|\\.|.", re.DOTALL
)
_ASSIGNED = r"\pL\pM\pN\pP\pS\pZ\pC"
_TOO_MANY_DIGITS = 9
"""From a count of so many digits on RE2 takes `a{n}` for plain text, where Go calls it a bad repetition."""

_LONG = """
letter:L lowercaseletter:Ll modifierletter:Lm otherletter:Lo titlecaseletter:Lt uppercaseletter:Lu
casedletter:lc
mark:M combiningmark:M spacingmark:Mc enclosingmark:Me nonspacingmark:Mn
number:N decimalnumber:Nd digit:Nd letternumber:Nl othernumber:No
punctuation:P punct:P connectorpunctuation:Pc dashpunctuation:Pd closepunctuation:Pe openpunctuation:Ps
finalpunctuation:Pf initialpunctuation:Pi otherpunctuation:Po
symbol:S currencysymbol:Sc modifiersymbol:Sk mathsymbol:Sm othersymbol:So
separator:Z lineseparator:Zl paragraphseparator:Zp spaceseparator:Zs
other:C control:Cc cntrl:Cc format:Cf privateuse:Co surrogate:Cs unassigned:cn
"""
_LONG_NAMES = MappingProxyType(dict(pair.split(":") for pair in _LONG.split()))


class RegexError(ValueError):
    """Go would not compile this regular expression."""


def to_re2(pattern: str) -> str:
    """Return what RE2 must be given to mean what Go means; raise `RegexError` for what only RE2 takes."""
    out: list[str] = []
    at = 0
    while found := _PIECE.match(pattern, at):
        at = found.end()
        if found["open"]:
            inside, at = _brackets(pattern, at)
            out.append(found[0] + inside)
        else:
            _refuse_what_go_refuses(found)
            out.append(_unicode_class(found, brackets=False) if found["sign"] else found[0])
    return "".join(out)


def _brackets(pattern: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    while found := _IN_BRACKETS.match(pattern, at):
        at = found.end()
        out.append(_unicode_class(found, brackets=True) if found["sign"] else found[0])
        if found["end"]:
            break
    return "".join(out), at


def _refuse_what_go_refuses(found: re.Match[str]) -> None:
    if found["byte"]:
        raise RegexError(r"\C is not supported: use . for any character")
    if found["group"] and not found["group"].isascii():
        raise RegexError(f"the group name {found['group']} is not plain: use letters, digits and _")
    if any(len(count.lstrip("0")) >= _TOO_MANY_DIGITS for count in (found["from"], found["to"]) if count):
        raise RegexError(f"{found[0][:40]} repeats too often: 1000 times is the most")


def _unicode_class(found: re.Match[str], *, brackets: bool) -> str:
    name = found["single"] or found["braced"]
    negated = (found["sign"] == "P") != name.startswith("^")
    name = name.removeprefix("^")
    key = re.sub("[-_ ]", "", name).lower()
    key = _LONG_NAMES.get(key, key)
    if key == "ascii":
        return _listed(r"\x00-\x7F", r"\x{80}-\x{10FFFF}", negated=negated, brackets=brackets)
    if key == "lc":
        return _listed(r"\p{Lu}\p{Ll}\p{Lt}", "", negated=negated, brackets=brackets)
    if key in ("assigned", "cn"):
        return _listed(_ASSIGNED, "", negated=negated != (key == "cn"), brackets=brackets)
    return f"\\{'P' if negated else 'p'}{{{_named(name, key)}}}"


def _named(name: str, key: str) -> str:
    """Give categories their short name and scripts their capitals (`old_italic` is `Old_Italic`)."""
    if not name.isascii():
        raise RegexError(f"{name} is not the name of a Unicode class: use one like L, Nd or Greek")
    if len(key) <= 2:
        return key.capitalize()
    return name if name[:1].isupper() else "_".join(word.capitalize() for word in re.split("[-_ ]", name))


def _listed(members: str, others: str, *, negated: bool, brackets: bool) -> str:
    if not brackets:
        return f"[{'^' if negated else ''}{members}]"
    if negated and not others:
        raise RegexError("this Unicode class cannot stand inside brackets: put it beside them, joined by |")
    return others if negated else members
