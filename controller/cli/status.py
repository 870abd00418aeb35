"""`rollbackctl status`: one screen, with what needs a person first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.records import asks
from controller.cli.sections import (
    print_asked,
    print_differing,
    print_hands,
    print_records,
    print_undelivered,
    print_waiting,
)
from controller.cli.terminal import clean, coloured, faint, print_json, say, say_under
from controller.cli.times import now, span
from rules.instances import read_instance

_SLOW_S = 15
_RECENT = 5
_MOVING_SHOWN = 10


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
    moment = now()
    by_state = _sorted(status["rollbacks"])
    _print_summary(status)
    _print_wrong(status)
    print_asked(by_state["asked"], moment)
    print_records("Held: waits for a person", by_state["held"], moment)
    print_hands(status, moment)
    print_records("Running", by_state["running"], moment)
    print_waiting(by_state["waiting"], moment)
    print_undelivered(status, moment)
    print_differing(status, moment)
    _print_moving(status["clusters"])
    print_records("Last outcomes", recent, moment)


def _sorted(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Put each unfinished rollback where a person looks for it."""
    found: dict[str, list[dict[str, Any]]] = {"asked": [], "held": [], "waiting": [], "running": []}
    for record in records:
        state = record["state"]
        found["asked" if asks(record) else state if state in ("held", "waiting") else "running"].append(record)
    return found


def _print_summary(status: dict[str, Any]) -> None:
    names = status["rules"]["names"]
    hosts = sum(len(hosts) for hosts in status["services"].values())
    _line("rules", f"{len(names)} in force: {', '.join(names)}" if names else "none in force")
    if status["services"] or not status["clusters"]:
        _line("hosts", f"{hosts} of {', '.join(status['services'])}" if status["services"] else "none")
    for cluster in status["clusters"]:
        _line("cluster", f"{clean(cluster['name'])}: {_seen(cluster)}")
    _line("waiting", f"{status['due']} due, {status['queued']} queued" + _lag(status["due_lag_s"]))
    _line("now", _counted(status["unfinished"]) or "nothing unfinished")
    ended: dict[str, int] = {}
    for entry in status["ended"]:
        ended[entry["outcome"]] = ended.get(entry["outcome"], 0) + entry["count"]
    _line("ended", _counted(ended) or "none so far")


def _seen(cluster: dict[str, Any]) -> str:
    if cluster["seen_s_ago"] is None:
        return "not looked over yet"
    return f"{cluster['workloads']} workloads, looked over {span(cluster['seen_s_ago'])} ago"


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
    troubles = [f"cluster {c['name']}{_since(c)}: {c['trouble']}" for c in status["clusters"] if c["trouble"]]
    complaints = [*status["complaints"], *troubles]
    if complaints:
        say()
        say("This needs attention", style="yellow", bold=True)
    for complaint in complaints:
        say_under(complaint, 2)


def _since(cluster: dict[str, Any]) -> str:
    return f" ({span(cluster['trouble_s_ago'])} ago)"


def _print_moving(clusters: list[dict[str, Any]]) -> None:
    """Name the workloads whose images cannot be told by their names."""
    moving = [entry for cluster in clusters for entry in cluster["moving"]]
    if not moving:
        return
    say()
    say("Tags that move: going back relies on the digests that were seen; name versions instead", style="yellow")
    for entry in moving[:_MOVING_SHOWN]:
        say(f"  {read_instance(entry['instance']).label} runs {', '.join(entry['images'])}: a tag that moves")
    more = sum(cluster["moving_in_all"] for cluster in clusters) - len(moving[:_MOVING_SHOWN])
    if more > 0:
        say(f"  and {more} more: --json names them", style="bright_black")
