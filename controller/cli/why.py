"""`rollbackctl why`: why something was done, or was not."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.terminal import print_json, say, say_under


@click.command("why")
@click.argument("what", metavar="[ID|SERVICE|FINGERPRINT]", required=False)
@click.option("--last", is_flag=True, help="Whatever was decided, or opened, last.")
@json_option
@api_options
def command(*, what: str | None, last: bool, as_json: bool, config: Path | None, url: str | None) -> None:
    """Say why a rollback, a service or an alert was treated as it was.

    Every rule, matched or by which matcher not; every instance; every guard with its facts, their source and age;
    every release that was considered; and what became of it.
    """
    if last is (what is not None):
        raise click.UsageError(
            "Say about what: the id of a rollback, a service, an alert's fingerprint, or --last."
        )
    answer = api(config, url).get("why" if what is None else f"why/{quote(what, safe='')}")
    if as_json:
        print_json(answer)
        return
    from controller.cli.reasons import story  # noqa: PLC0415 - for those who read it
    from controller.cli.times import now  # noqa: PLC0415

    for line in story(answer, now()):
        if line.text:
            say_under(line.text, line.indent, dim=line.dim, bold=line.bold)
        else:
            say()
