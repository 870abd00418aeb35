"""Finds the personal token that the command line shows to the server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.api import TOKEN_VARIABLE
from controller.cli.failures import Unusable
from controller.settings.secrets import SecretUnreadable, read_secret
from controller.settings.settings import Role

if TYPE_CHECKING:
    from pydantic import SecretStr

    from controller.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A token, and where it was found."""

    secret: SecretStr
    source: str


def find_token(settings: Settings) -> Found | None:
    """Look in ROLLBACK_TOKEN, then ROLLBACK_TOKEN_FILE or `token_file`, then among the server's own tokens.

    The last is for the machine the server runs on: a token with the role operate whose file we may read.
    None where authentication is off or no token can be found; the server then says what it wants.
    """
    from pydantic import SecretStr  # noqa: PLC0415

    if value := os.environ.get(TOKEN_VARIABLE):
        return Found(SecretStr(value.strip()), TOKEN_VARIABLE)
    if settings.token_file is not None:
        return Found(_named(settings.token_file), str(settings.token_file))
    for token in settings.auth.tokens:
        if Role.OPERATE in token.roles and os.access(token.file, os.R_OK):
            return Found(_named(token.file), str(token.file))
    return None


def _named(path: Path) -> SecretStr:
    """Read the first line: while a token is being rotated, its file holds two."""
    try:
        text = read_secret(path).get_secret_value()
    except SecretUnreadable as error:
        raise Unusable(str(error)) from error
    from pydantic import SecretStr  # noqa: PLC0415

    return SecretStr(text.splitlines()[0])
