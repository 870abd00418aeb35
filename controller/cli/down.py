"""`rollbackctl down`: everything that stands because of us, and the way to put it back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.failures import Failed
from controller.cli.options import api, api_options, json_option
from controller.cli.scopes import scope_words
from controller.cli.sections import (
    breakers,
    demoted,
    locked,
    paused,
    print_differing,
    print_entries,
    print_records,
    suspended,
)
from controller.cli.terminal import print_json, say
from controller.cli.times import now

if TYPE_CHECKING:
    from controller.cli.api import Api


@click.command("down")
@click.option("--yes", is_flag=True, help="Put it back without asking.")
@click.option("--reason", default="rollbackctl down", show_default=True, help="Why; kept in the audit.")
@json_option
@api_options
def command(*, yes: bool, reason: str, as_json: bool, config: Path | None, url: str | None) -> None:
    """Print what is paused, suspended, locked or pinned, and put it back.

    Pauses end, and GitOps owners that were paused go on. Locks end by themselves with their deployments; what was
    rolled back stays so until its next deployment, or `undo`; a demoted rule stays so until `promote`.
    """
    server = api(config, url)
    status = server.get("status")
    if not as_json:
        _print(status)
    todo = [scope_words(one["scope"]) for one in status["paused"]] + sorted(_owners(status))
    if todo and (yes or _agreed(todo, as_json=as_json)):
        _put_back(server, status, reason)
        left: list[str] = []
    else:
        left = todo
    if as_json:
        names = ("paused", "suspended", "locked", "demoted", "breakers", "differs")
        print_json({**{name: status[name] for name in names}, "put_back": not left and bool(todo)})
    if left:
        raise Failed(f"Nothing was put back. `rollbackctl down --yes` puts back: {', '.join(left)}.")
    if not as_json:
        say(f"Put back: {', '.join(todo)}." if todo else "There is nothing to put back.")


def _print(status: dict[str, Any]) -> None:
    moment = now()
    print_entries("Paused", paused(status, moment))
    print_entries("GitOps owners paused by a rollback", suspended(status))
    print_entries("Locked; a lock ends with its deployment", locked(status, moment))
    print_entries("Demoted; a rule stays so until somebody trusts it again", demoted(status))
    print_entries("Held by the loop-breaker; rules leave it alone until it is resumed", breakers(status))
    print_differing(status, moment)
    print_records("Not ended; `rollbackctl cancel ID` ends what has changed nothing", status["rollbacks"], moment)
    say()


def _agreed(todo: list[str], *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return click.confirm(f"Put back {', '.join(todo)}? What waited for a pause is judged anew, and may begin")


def _put_back(server: Api, status: dict[str, Any], reason: str) -> None:
    """Let the owners go on first: what a pause held back must not meet them half way."""
    for owner in sorted(_owners(status)):
        server.delete("suspensions", {"owner": owner, "reason": reason})
    if status["paused"]:
        server.delete("pauses", {"all": True, "reason": reason})


def _owners(status: dict[str, Any]) -> set[str]:
    return {one["owner"] for one in status["suspended"] if not one["asked_by"]}
