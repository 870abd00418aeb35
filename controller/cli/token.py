"""Finds the personal token that the command line shows to the server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.failures import Unusable
from controller.settings.secrets import SecretUnreadable, read_secret
from controller.settings.settings import Role

if TYPE_CHECKING:
    from pydantic import SecretStr

    from controller.settings import Settings


def find_token(settings: Settings) -> SecretStr | None:
    """Look in ROLLBACK_TOKEN, then ROLLBACK_TOKEN_FILE or `token_file`, then among the server's own tokens.

    The last is for the machine the server runs on: a token with the role operate whose file we may read.
    None where authentication is off or no token can be found; the server then says what it wants.
    """
    from pydantic import SecretStr  # noqa: PLC0415

    if value := os.environ.get("ROLLBACK_TOKEN"):
        return SecretStr(value.strip())
    if settings.token_file is not None:
        return _named(settings.token_file)
    for token in settings.auth.tokens:
        if Role.OPERATE in token.roles and os.access(token.file, os.R_OK):
            return _named(token.file)
    return None


def _named(path: Path) -> SecretStr:
    """Read the first line: while a token is being rotated, its file holds two."""
    try:
        text = read_secret(path).get_secret_value()
    except SecretUnreadable as error:
        raise Unusable(str(error)) from error
    from pydantic import SecretStr  # noqa: PLC0415

    return SecretStr(text.splitlines()[0])
