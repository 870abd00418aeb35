"""How a command says no: one or two sentences on standard error, the last of which says what to do next.

The exit codes are a promise to scripts; docs/reference/commands.md lists them.
"""

from __future__ import annotations

from typing import IO, Any

import click

from controller.cli.terminal import clean


class Failed(click.ClickException):
    """The answer is no, or what was asked for did not work out."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message, harmless for a terminal."""
        for line in self.message.splitlines():
            click.echo(clean(line), file=file, err=True)


class Conflict(Failed):
    """The answer is no as things stand now: somebody else was first, or it is too late."""


class Unusable(Failed):
    """The command line or the settings cannot be used."""

    exit_code = 2


class Unreachable(Failed):
    """The controller does not answer."""

    exit_code = 3


class NotAdmitted(Failed):
    """The controller does not know us, or does not let us."""

    exit_code = 4


class Unsettled(Failed):
    """The time that `--wait` was given is over, and it is not yet known how it ends."""

    exit_code = 5
