"""`rollbackctl resume`: a pause ends, or a loop-breaker, and what waited for it is judged anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.scopes import scope_flags, scope_of, scope_options, scope_words, until_words
from controller.cli.terminal import print_json, say
from controller.cli.times import now

if TYPE_CHECKING:
    from controller.cli.api import Api


@click.command("resume")
@scope_options
@click.option("--all", "every", is_flag=True, help="End every pause.")
@click.option(
    "--owner", metavar="OWNER", help="Let this GitOps owner go on, as `status` names it, whatever Git says."
)
@click.option("--reason", default="", help="Why; kept in the audit.")
@json_option
@api_options
def command(
    *,
    service: str | None,
    rule: str | None,
    every: bool,
    owner: str | None,
    reason: str,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """End a pause. What waited for it is judged anew, with fresh facts; one campaign begins at a time.

    With --service also the loop-breaker of that service, which opens where going back did not help twice in a row.
    """
    scope = scope_of(service, rule)
    if sum((every, bool(scope), owner is not None)) > 1:
        raise click.UsageError("Say --all, or which pause, or --owner.")
    server = api(config, url)
    if owner is not None:
        _let_go_on(server, owner, reason, as_json=as_json)
        return
    answer = server.delete("pauses", {"scope": scope, "all": every, "reason": reason})
    if as_json:
        print_json(answer)
        return
    loops = [f"{service}, which its loop-breaker held" for service in answer["closed"]]
    ended = ", ".join([*map(scope_words, answer["resumed"]), *loops])
    say(f"Resumed {ended}: what waited is judged anew." if ended else "Nothing was paused.")
    for pause in answer["pauses"]:
        say(
            f"Still paused: {scope_words(pause['scope'])} {until_words(pause['until'], now())}, by {pause['by']}: "
            f"{pause['why']}. `rollbackctl resume{scope_flags(pause['scope'])}` ends it.",
            style="yellow",
        )
    for breaker in answer["breakers"]:
        say(
            f"Still held by its loop-breaker: {breaker['service']} ({breaker['why']}). "
            f"`rollbackctl resume --service {breaker['service']}` ends it.",
            style="yellow",
        )


def _let_go_on(server: Api, owner: str, reason: str, *, as_json: bool) -> None:
    answer = server.delete("suspensions", {"owner": owner, "reason": reason})
    if as_json:
        print_json(answer)
    else:
        say(
            f"{owner} goes on with the next sweep of its cluster, within seconds; `rollbackctl status` tells when."
        )
