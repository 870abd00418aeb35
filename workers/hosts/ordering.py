"""Which release is older. Pure.

Names that look like versions or timestamps are ordered as such (v1.10.0 after v1.9.0, v1.2.0-rc.1 before v1.2.0);
anything else by the time it was laid down.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.hosts.reports import Entry

Order = tuple[int | str, ...]

_VERSION = re.compile(
    r"""(?P<lead>(?:[A-Za-z][A-Za-z_.-]*?[-_.])?[vV]?)
        (?P<numbers>\d+(?:\.\d+)*)
        (?P<early>[-._~]?(?:alpha|beta|preview|pre|rc|dev|snapshot|a|b)[-._]?\d*)?
        (?P<rest>(?:[-._+~T:]\w+)*)""",
    re.VERBOSE,
)
_TOKEN = re.compile(r"\d+|[^\W\d]+")
_FROM_TIME, _EARLY, _FINAL, _LATER, _TEXT, _NUMBER = range(6)


def orders(entries: Iterable[Entry], by: str) -> dict[str, Order]:
    """Return a sorting key for each release. `by` is auto, version or time."""
    listed = list(entries)
    read = {entry.name: _VERSION.fullmatch(entry.name) for entry in listed}
    leads = {match["lead"].lower() if match else None for match in read.values()}
    if by == "time" or (by == "auto" and (None in leads or len(leads) > 1)):
        return {entry.name: (entry.mtime_ns, entry.name) for entry in listed}
    return {entry.name: _version_order(read[entry.name], entry) for entry in listed}


def _version_order(match: re.Match[str] | None, entry: Entry) -> Order:
    """Return a key of (rank, number, text) triples, so that any two keys can be compared."""
    if match is None:
        return (_FROM_TIME, entry.mtime_ns, entry.name)
    key: list[int | str] = []
    for number in match["numbers"].split("."):
        key += (_NUMBER, int(number), "")
    early, rest = match["early"], match["rest"]
    key += (_EARLY if early else _LATER if rest else _FINAL, 0, "")
    for token in _TOKEN.findall(f"{early or ''} {rest}"):
        key += (_NUMBER, int(token), "") if token.isdigit() else (_TEXT, 0, token.lower())
    return (*key, _FROM_TIME, entry.mtime_ns, entry.name)
