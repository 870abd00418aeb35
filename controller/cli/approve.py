"""`rollbackctl approve`: yes to the plan that a rule asks about."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.records import path_of, subject
from controller.cli.terminal import print_json, say


@click.command("approve")
@click.argument("ident", metavar="ID")
@click.option("--reason", default="", help="Why; kept in the audit.")
@click.option("--to", default="", metavar="RELEASE", help="The release you read of; another is not approved.")
@json_option
@api_options
def command(*, ident: str, reason: str, to: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Say yes to a rollback that asks.

    The yes is for its plan: if another release runs by the time it begins, it asks again.
    """
    record = api(config, url).post(path_of(ident, "approve"), {"reason": reason, "to": to})
    if as_json:
        print_json(record)
        return
    say(f"Approved {record['id']}: {subject(_as_asked(record))}.")
    say(f"`rollbackctl show {record['id']}` tells how it goes on.", style="bright_black")


def _as_asked(record: dict[str, object]) -> dict[str, object]:
    """Put what it asks about in the place of what it does not know yet."""
    asked = record.get("asked")
    if not isinstance(asked, dict):
        return record
    return {**record, "from": asked.get("from") or record["from"], "to": asked.get("to") or record["to"]}
