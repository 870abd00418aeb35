"""`rollbackctl cancel`: before the first change nothing happens; after it, it is too late and says so."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.records import path_of, subject
from controller.cli.terminal import print_json, say


@click.command("cancel")
@click.argument("ident", metavar="ID")
@click.option("--reason", default="", help="Why; kept in the record.")
@json_option
@api_options
def command(*, ident: str, reason: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Cancel a rollback that has not changed anything yet, or let go of one that is held."""
    record = api(config, url).post(path_of(ident, "cancel"), {"reason": reason})
    if as_json:
        print_json(record)
    else:
        say(f"Cancelled {record['id']}: {subject(record)}.")
