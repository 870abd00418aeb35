"""`rollbackctl undo`: back to what ran before a rollback, and the marks as they were."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.overrides import overridden, override_option
from controller.cli.records import path_of
from controller.cli.terminal import print_json, say
from rules.instances import read_instance


@click.command("undo")
@click.argument("ident", metavar="ID")
@click.option("--false-alarm", is_flag=True, help="The rule was wrong: it may only ask until `promote`.")
@click.option("--reason", default="", help="Why; kept in the record.")
@override_option
@click.option("--wait", is_flag=True, help="Follow it to its end; exit 0 only if it is healthy again.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=1800, show_default=True, help="Seconds to --wait."
)
@json_option
@api_options
def command(  # noqa: PLR0913 - the words of the command line
    *,
    ident: str,
    false_alarm: bool,
    reason: str,
    override: tuple[str, ...],
    wait: bool,
    timeout: float,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Take rollback ID back: what ran before runs again, and the releases' marks are as they were.

    It is a rollback of its own, by hand, on the same path; where something else runs there by now it is refused.
    """
    server = api(config, url)
    asked = {"reason": reason, "false_alarm": false_alarm, "override": overridden(override)}
    answer = server.post(path_of(ident, "undo"), asked)
    if as_json and not wait:
        print_json(answer)
    elif not as_json:
        where = read_instance(answer["instance"]).label
        say(f"{answer['id']}  undoes {answer['undoes']}: {where}: {answer['from']} → {answer['to']}")
        if answer["lifted"]:
            say(f"Its marks are lifted from {', '.join(answer['lifted'])}; see `rollbackctl releases list`.")
        if answer["demoted"]:
            rule = answer["demoted"]
            say(f"Rule {rule} only asks from now on; `rollbackctl promote {rule}` trusts it again.")
        elif false_alarm:
            say("No rule wanted it, so none is demoted.")
    if wait:
        from controller.cli.following import follow  # noqa: PLC0415 - for those who wait

        follow(server, [answer["id"]], timeout, as_json=as_json)
    elif not as_json:
        told = f"`rollbackctl show {answer['id']}` tells how it goes on, or why it was refused."
        say(told, style="bright_black")
