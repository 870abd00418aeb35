"""`rollbackctl promote`: a demoted rule is trusted again."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.terminal import print_json, say


@click.command("promote")
@click.argument("rule", metavar="RULE")
@click.option("--reason", default="", help="Why; kept in the audit.")
@json_option
@api_options
def command(*, rule: str, reason: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Let a rule that was demoted do again what its file says."""
    answer = api(config, url).post(f"rules/{quote(rule, safe='')}/promote", {"reason": reason})
    if as_json:
        print_json(answer)
    else:
        say(f"Rule {answer['rule']} does again what its file says.")
