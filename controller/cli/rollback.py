"""`rollbackctl rollback`: the manual job, on the same path and under the same lock as a rule's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.api import PLANNING_S
from controller.cli.failures import Failed
from controller.cli.options import api, api_options, json_option
from controller.cli.plans import print_plan
from controller.cli.terminal import print_json, say
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Iterable


@click.command("rollback")
@click.argument("service")
@click.option("--instance", "instances", multiple=True, metavar="HOST", help="This host; may be repeated.")
@click.option(
    "--only", multiple=True, metavar="K=V", help="Hosts that carry this label; values of one label add up."
)
@click.option("--all", "all_hosts", is_flag=True, help="Every host of the service.")
@click.option(
    "--to",
    multiple=True,
    metavar="RELEASE",
    help="`previous` (the default) or a release by name; repeat for a fallback.",
)
@click.option("--reason", default="", help="Why; kept in the record.")
@click.option("--dry-run", is_flag=True, help="Print the plan, each step with its way back, and change nothing.")
@click.option("--wait", is_flag=True, help="Follow it to its end; exit 0 only if every instance recovered.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=1800, show_default=True, help="Seconds to --wait."
)
@json_option
@api_options
def command(  # noqa: PLR0913 - the words of the command line
    *,
    service: str,
    instances: tuple[str, ...],
    only: tuple[str, ...],
    all_hosts: bool,
    to: tuple[str, ...],
    reason: str,
    dry_run: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Roll instances of SERVICE back, by hand: by default to the release before the one that runs."""
    asked = {
        "service": service,
        **_selection(instances, only, all_hosts=all_hosts),
        "to": _to(to),
        "reason": reason,
        "dry_run": dry_run,
    }
    server = api(config, url)
    answer = server.post("rollbacks", asked, PLANNING_S)
    if dry_run:
        _print_plans(answer["plans"], as_json=as_json)
        return
    if not as_json:
        _print_opened(answer["rollbacks"])
    if wait:
        from controller.cli.following import follow  # noqa: PLC0415 - for those who wait

        follow(server, [rollback["id"] for rollback in answer["rollbacks"]], timeout, as_json=as_json)
    elif as_json:
        print_json(answer)


def _selection(instances: tuple[str, ...], only: tuple[str, ...], *, all_hosts: bool) -> dict[str, Any]:
    if sum((bool(instances), bool(only), all_hosts)) != 1:
        raise click.UsageError(
            "Say which instances: --instance HOST, --only LABEL=VALUE or --all, one of the three."
        )
    if instances:
        return {"instances": list(instances)}
    return {"all": True} if all_hosts else {"only": _labels(only)}


def _labels(only: Iterable[str]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for pair in only:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise click.UsageError(f"--only {pair!r} is not LABEL=VALUE, as in --only track=canary.")
        labels.setdefault(name, []).append(value)
    return labels


def _to(to: tuple[str, ...]) -> list[str | dict[str, str]]:
    return [entry if entry == "previous" else {"version": entry} for entry in to] or ["previous"]


def _print_plans(plans: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"plans": plans})
        good = all(plan.get("plan") for plan in plans)
    else:
        planned = [print_plan(plan) for plan in plans]
        good = all(planned)
        say(
            "Nothing was changed." if good else "Nothing was changed, and not all of it could be.",
            style="bright_black",
        )
    if not good:
        raise click.exceptions.Exit(Failed.exit_code)


def _print_opened(rollbacks: list[dict[str, Any]]) -> None:
    for rollback in rollbacks:
        label = read_instance(rollback["instance"]).label
        joined = " (it had an unfinished rollback, which this joins)" if rollback["joined"] else ""
        say(f"{rollback['id']}  {label}{joined}")
