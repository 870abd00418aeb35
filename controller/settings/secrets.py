"""Secrets come from files, are held as `SecretStr`, and never appear in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path


class SecretUnreadable(Exception):
    """A file that should hold a secret cannot be read, or is empty; the message says what to do."""


def read_secret(path: Path) -> SecretStr:
    """Read a secret; surrounding white space is not part of it. Raises `SecretUnreadable`."""
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecretUnreadable(f"cannot read {path}: {why}. Create it, readable by this user only.") from error
    if not value:
        raise SecretUnreadable(f"{path} is empty. Write the secret into it, on one line.")
    return SecretStr(value)
