"""`rollbackctl history`: rollbacks, the newest first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.records import alert_words, cause, label, moves, standing
from controller.cli.terminal import print_json, print_table, say
from controller.cli.times import ago, now

if TYPE_CHECKING:
    from controller.cli.api import Api

_MOST_RECENT = 500


@click.command("history")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many.")
@click.option("--service", help="Only this service.")
@click.option("--state", help="Only these states, like `held` or `planned,waiting`.")
@click.option(
    "--decisions", is_flag=True, help="What was decided about each alert instead, also by rules that only observe."
)
@click.option(
    "--verify", is_flag=True, help="Whether all that is remembered is as it was written; exit code 1 if not."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="With --verify: our copy of the keys that seal; else audit.key-file of the settings.",
)
@json_option
@api_options
def command(  # noqa: PLR0913 - the words of the command line
    *,
    limit: int,
    service: str | None,
    state: str | None,
    decisions: bool,
    verify: bool,
    key_file: Path | None,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """List rollbacks, or what was decided about each alert, the newest first."""
    if verify:
        from controller.cli.verified import verify_history  # noqa: PLC0415

        verify_history(config, url, key_file, service, as_json=as_json)
        return
    if decisions:
        _print_decisions(api(config, url), limit, as_json=as_json)
        return
    server = api(config, url)
    answer = server.get("rollbacks", limit=limit, service=service, state=state)
    if as_json:
        print_json(answer)
    elif answer["rollbacks"]:
        print_rollbacks(answer["rollbacks"])
        _print_breakers(answer["breakers"])
        say("`rollbackctl show ID` tells the whole story of one.", style="bright_black")
    else:
        say(_nothing(server, service))


def _nothing(server: Api, service: str | None) -> str:
    """Say that there is no rollback, and whether that is because of a name that nobody knows."""
    known = "No rollbacks. `rollbackctl history --decisions` says what was decided about each alert."
    if service is None:
        return known
    status = server.get("status")
    if service in status["services"]:
        return known
    clusters = "; whether a cluster has it is not known here" if status["clusters"] else ""
    return (
        f"Nothing is known of a service {service!r}: no rollback, and the inventory does not have it{clusters}. "
        "Is the name misspelt?"
    )


def _print_decisions(server: Api, limit: int, *, as_json: bool) -> None:
    answer = server.get("decisions", limit=limit)
    if as_json:
        print_json(answer)
        return
    if not answer["decisions"]:
        say("No decisions yet: no alert has met a rule. `rollbackctl rules explain` tries one.")
        return
    moment = now()
    rollbacks = server.get("rollbacks", limit=_MOST_RECENT)["rollbacks"]
    print_table(
        ("HEARD", "ALERT", "RULE", "DECIDED", "WHY"),
        (
            (ago(str(d["at"]), moment), alert_words(d), d["rule"], d["outcome"], _why(d, rollbacks))
            for d in answer["decisions"]
        ),
    )


def _why(decision: dict[str, Any], rollbacks: list[dict[str, Any]]) -> str:
    """Say why, and of each rollback that it led to how that stands now."""
    why = f"{decision['reason']}: {decision['detail']}"
    for record in rollbacks:
        if record["id"] in decision["detail"]:
            reason = f", {record['reason']}" if record["reason"] not in ("", standing(record)) else ""
            why = why.replace(record["id"], f"{record['id']} (now {standing(record)}{reason})")
    return why


def _cause(record: dict[str, Any]) -> str:
    opened = "; opened the loop-breaker" if record["opened_breaker"] else ""
    return cause(record) + opened


def _print_breakers(breakers: list[dict[str, Any]]) -> None:
    for found in breakers:
        say(
            f"Rules leave {found['service']} alone: {found['why']}. "
            f"`rollbackctl resume --service {found['service']}` ends that.",
            style="yellow",
        )


def print_rollbacks(rollbacks: list[dict[str, Any]]) -> None:
    """Print one line for each."""
    moment = now()
    print_table(
        ("ID", "INSTANCE", "RELEASE", "IS", "OPENED", "WHY"),
        (
            (
                record["id"],
                label(record),
                moves(record),
                standing(record),
                ago(str(record["opened_at"] or ""), moment),
                _cause(record),
            )
            for record in rollbacks
        ),
    )
