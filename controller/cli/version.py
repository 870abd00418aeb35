"""`rollbackctl version`."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from controller.cli.options import json_option
from controller.cli.terminal import print_json


@click.command("version")
@json_option
def command(*, as_json: bool) -> None:
    """Print the version."""
    found = version("rollback-controller")
    if as_json:
        print_json({"version": found, "python": platform.python_version()})
    else:
        click.echo(f"rollbackctl {found} (Python {platform.python_version()})")
