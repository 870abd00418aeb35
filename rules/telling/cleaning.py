"""What strangers wrote, made fit for a message: labels and release names reach chats, mail and phones.

Chats give meaning to characters: `<!channel>` and `@here` wake everybody, `[text](address)` hides where it leads.
"""

from __future__ import annotations

import re

_LONGEST = 120
_MEANT = (
    (re.compile(r"<"), "‹"),  # noqa: RUF001
    (re.compile(r">"), "›"),  # noqa: RUF001
    (re.compile(r"`"), "'"),
    (re.compile(r"\]\("), "] ("),
    (re.compile(r"://"), ": //"),
    (re.compile(r"@(?!sha256:)"), "＠"),  # noqa: RUF001 - a digest is no mention
)


def clean(text: str, most: int = _LONGEST) -> str:
    """Return a text on one line, without control characters and markup, cut to `most` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: most * 4]).split())
    for meant, plain in _MEANT:
        line = meant.sub(plain, line)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def listed(texts: tuple[str, ...], most: int = 10) -> str:
    """List texts by commas; of many the first, and how many more there are."""
    shown = ", ".join(clean(text, 80) for text in texts[:most])
    return shown if len(texts) <= most else f"{shown} and {len(texts) - most} more"
