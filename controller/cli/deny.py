"""`rollbackctl deny`: no to the plan that a rule asks about."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.records import label, path_of
from controller.cli.terminal import print_json, say


@click.command("deny")
@click.argument("ident", metavar="ID")
@click.option("--reason", required=True, help="Why; whoever keeps the rule reads it.")
@json_option
@api_options
def command(*, ident: str, reason: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Say no to a rollback that asks: nothing is changed, and the same alert does not ask again."""
    record = api(config, url).post(path_of(ident, "deny"), {"reason": reason})
    if as_json:
        print_json(record)
    else:
        say(f"Denied {record['id']}: {label(record)} is left as it is.")
