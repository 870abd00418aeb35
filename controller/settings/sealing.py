"""The keys that seal what workers plan and what ended, from a file: each line is one, and the last one seals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from controller.settings.secrets import SecretUnreadable, read_secret
from rules.seals import Key

LEAST_BYTES = 32


class Audit(BaseModel):
    """How it can be proven later that the history is as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_file: Path | None = None
    """The file with the keys that seal plans, steps and ended rollbacks; without one nothing is sealed.

    For workers: the server reads it never.
    """

    def keys(self) -> Sequence[Key]:
        """Read the keys anew: they are rotated. None of them where no file is named. Raises `SecretUnreadable`."""
        return () if self.key_file is None else read_keys(self.key_file)


def read_keys(path: Path) -> Sequence[Key]:
    """Read a file of keys, the last of which seals. Raises `SecretUnreadable`, which shows none of them."""
    lines = read_secret(path).get_secret_value().splitlines()
    keys = [line.strip().encode() for line in lines if line.strip()]
    if path.stat().st_mode & 0o007:
        raise SecretUnreadable(
            f"{path} may be read by every user of this machine, who could forge seals. Run `chmod o= {path}`; "
            "if strangers may have read it, add a new key as its last line as well."
        )
    for at, secret in enumerate(keys, 1):
        if len(secret) < LEAST_BYTES:
            raise SecretUnreadable(
                f"{path}: key {at} has {len(secret)} bytes and needs {LEAST_BYTES} at least. "
                "Write one with `openssl rand -hex 32`, on a line of its own."
            )
    return [Key.of(secret) for secret in keys]
