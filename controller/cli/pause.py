"""`rollbackctl pause`: rules stop, at once and for so long; what a person does goes on."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.scopes import scope_flags, scope_of, scope_options, scope_words, until_words
from controller.cli.terminal import print_json, say
from controller.cli.times import now


@click.command("pause")
@scope_options
@click.option("--for", "for_", metavar="4h", help="How long, like 30m, 4h or 2d; else until `resume`.")
@click.option("--reason", required=True, help="Why; whoever meets the pause reads it.")
@json_option
@api_options
def command(
    *,
    service: str | None,
    rule: str | None,
    for_: str | None,
    reason: str,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Stop rules from changing anything: all of them, or for one service, or one rule.

    What changed something already is finished and verified. A person's rollback is not stopped.
    """
    asked = {"scope": scope_of(service, rule), "reason": reason, **({"for": for_} if for_ else {})}
    pause = api(config, url).post("pauses", asked)
    if as_json:
        print_json(pause)
        return
    say(f"Paused {scope_words(pause['scope'])} {until_words(pause['until'], now())}.")
    say(f"`rollbackctl resume{scope_flags(pause['scope'])}` ends it.", style="bright_black")
