"""Changes a text piece by piece, as typing, merging and broken wires do: words, lines and bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

YAML = (
    *(
        b"- ",
        b": ",
        b"? ",
        b"&a ",
        b"*a",
        b"&a",
        b"!!str ",
        b"!!binary ",
        b"!x ",
        b"<<: ",
        b"--- ",
        b"...\n",
        b"%YAML 1.1\n",
    ),
    *(
        b"|\n",
        b">-\n",
        b"{{ ",
        b" }}",
        b"[",
        b"]",
        b"{",
        b"}",
        b"'",
        b'"',
        b"#",
        b" #",
        b"\t",
        b"\n",
        b"\r",
        b",",
        b"~",
    ),
    *(
        b"@",
        b"`",
        b"%",
        b"\\x",
        b'"\\U00110000"',
        b'"\\ud800"',
        b"null",
        b"yes",
        b"017",
        b".nan",
        b"2024-05-20",
        b"1_000",
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\x85",
        b"\x7f",
        b"\x1b",
    ),
)
JSON = (
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"null",
        b"true",
        b"NaN",
        b"-Infinity",
        b"-",
        b"1e400",
        b"1E+5",
        b"-0",
    ),
    *(
        b"18446744073709551616",
        b"9" * 400,
        b"0.1",
        b"01",
        b'"4"',
        b"4",
        b"[]",
        b"{}",
        b'""',
        b'"\\ud800"',
        b'"\\u0000"',
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xf4\x90\x80\x80",
        b"\n",
        b"/**/",
        b"'",
        b"\x7f",
    ),
)
_TOKEN = re.compile(rb"[0-9A-Za-z_]+|[ \t]+|.", re.DOTALL)
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_OPS = (
    "put",
    "instead",
    "cut",
    "double",
    "move",
    "flip",
    "many",
    "line-twice",
    "line-away",
    "line-in",
    "line-out",
)
_MOST = 20_000


class Change(NamedTuple):
    """One change of a text; the numbers count around what there is."""

    op: str
    where: int
    long: int
    what: int


CHANGES = st.lists(
    st.builds(Change, st.sampled_from(_OPS), st.integers(0, 9999), st.integers(1, 12), st.integers(0, 999)),
    max_size=4,
)


def changed(text: bytes, changes: Sequence[Change], pieces: Sequence[bytes]) -> bytes:
    """Return the text with the changes."""
    for change in changes:
        parts = (_LINE if change.op.startswith("line") else _TOKEN).findall(text)
        if parts:
            at = change.where % len(parts)
            parts[at : at + change.long] = _instead(parts, at, change, pieces)
            text = b"".join(parts)
    return text


def _instead(parts: list[bytes], at: int, change: Change, pieces: Sequence[bytes]) -> list[bytes]:
    there, piece = parts[at : at + change.long], pieces[change.what % len(pieces)]
    instead = {
        "put": lambda: [piece, *there],
        "instead": lambda: [piece],
        "cut": list,
        "double": lambda: there * 2,
        "move": lambda: [parts[change.what % len(parts)], *there],
        "flip": lambda: [bytes([there[0][0] ^ (1 << change.what % 8)]), *there[1:]],
        "many": lambda: [piece * min(4 ** (change.what % 8), _MOST // len(piece)), *there],
        "line-twice": lambda: there * 2,
        "line-away": list,
        "line-in": lambda: [b"  " + line for line in there],
        "line-out": lambda: [line.removeprefix(b"  ") for line in there],
    }
    return instead[change.op]()
