"""`rollbackctl status`: one screen, with what needs a person first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.cli.history import print_rollbacks
from controller.cli.options import api, api_options, json_option
from controller.cli.terminal import coloured, faint, print_json, say
from controller.cli.times import span

_SLOW_S = 15
_RECENT = 5


@click.command("status")
@json_option
@api_options
def command(*, as_json: bool, config: Path | None, url: str | None) -> None:
    """Show on one screen what is going on."""
    server = api(config, url)
    status = server.get("status")
    recent = server.get("rollbacks", limit=_RECENT, state="ended")["rollbacks"]
    if as_json:
        print_json({**status, "recent": recent})
        return
    _print_summary(status)
    _print_wrong(status)
    held = [record for record in status["rollbacks"] if record["state"] == "held"]
    running = [record for record in status["rollbacks"] if record["state"] != "held"]
    for title, rollbacks in (("Held: waits for a person", held), ("Unfinished", running), ("Recent", recent)):
        if rollbacks:
            say()
            say(title, bold=True)
            print_rollbacks(rollbacks)


def _print_summary(status: dict[str, Any]) -> None:
    names = status["rules"]["names"]
    hosts = sum(len(hosts) for hosts in status["services"].values())
    _line("rules", f"{len(names)} in force: {', '.join(names)}" if names else "none in force")
    _line("hosts", f"{hosts} of {', '.join(status['services'])}" if status["services"] else "none")
    _line("waiting", f"{status['due']} due, {status['queued']} queued" + _lag(status["due_lag_s"]))
    _line("now", _counted(status["unfinished"]) or "nothing unfinished")
    ended: dict[str, int] = {}
    for entry in status["ended"]:
        ended[entry["outcome"]] = ended.get(entry["outcome"], 0) + entry["count"]
    _line("ended", _counted(ended) or "none so far")


def _line(name: str, text: str) -> None:
    click.echo(f"{faint(f'{name:<9}')}{text}")


def _lag(seconds: float) -> str:
    return f", the oldest for {span(seconds)}: are the workers running?" if seconds > _SLOW_S else ""


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {coloured(state)}" for state, count in counts.items() if count)


def _print_wrong(status: dict[str, Any]) -> None:
    errors = status["rules"]["errors"]
    if errors:
        say()
        say("The files have errors; the rules and hosts read before stay in force", style="red", bold=True)
    for error in errors:
        say(f"  {error}")
    if status["complaints"]:
        say()
        say("This needs attention", style="yellow", bold=True)
    for complaint in status["complaints"]:
        say(f"  {complaint}")
