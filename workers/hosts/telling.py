"""What a service itself says that it runs."""

from __future__ import annotations

import json

from workers.hosts.http_probe import NoAnswer, ask

_WITHIN_S = 1.0
_MOST_BYTES = 64 << 10
_LONGEST_WORD = 200


def told_by(url: str) -> tuple[str, ...]:
    """Ask the service; nothing where it does not answer, or says nothing that could name a release."""
    try:
        status, body = ask(url, _WITHIN_S, _MOST_BYTES)
    except NoAnswer:
        return ()
    return words_in(body) if status == 200 else ()


def words_in(body: bytes) -> tuple[str, ...]:
    """Read an answer: JSON with `version` or `commit`, a JSON string, or the one line of a plain text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    found = [told.get("version"), told.get("commit")] if isinstance(told, dict) else [told]
    words = (word.strip() for word in found if isinstance(word, str))
    return tuple(dict.fromkeys(word for word in words if _may_name(word)))


def _may_name(word: str) -> bool:
    return 0 < len(word) <= _LONGEST_WORD and word.isprintable() and not word.startswith("<")
