"""`rollbackctl rollback`: the manual job, on the same path and under the same lock as a rule's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from controller.cli.api import PLANNING_S
from controller.cli.failures import Failed
from controller.cli.options import api, api_options, json_option
from controller.cli.overrides import overridden, override_option
from controller.cli.plans import print_plan
from controller.cli.records import cause, label, moves, path_of, standing
from controller.cli.terminal import print_json, say
from controller.cli.times import ago, now
from rules.instances import read_instance
from rules.to import read_to, to_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.cli.api import Api

_SAME_AS = "same-as:"
_WORDS = ("previous", "last-known-good", "stable", "scale-to-zero")
_MOST_RECENT = 100


@click.command("rollback")
@click.argument("service")
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="NAME",
    help="This host, or this workload as KIND/NAME; may be repeated.",
)
@click.option(
    "--only", multiple=True, metavar="K=V", help="Those that carry this label; values of one label add up."
)
@click.option("--all", "every", is_flag=True, help="Every host or workload of the service.")
@click.option("-n", "--namespace", help="Workloads of this namespace.")
@click.option("--cluster", help="Workloads of this cluster, as the settings call it.")
@click.option(
    "--to",
    multiple=True,
    metavar="RELEASE",
    help="`previous` (the default), `last-known-good`, `stable`, a release by its name, version, tag, revision or "
    "digest, `same-as:LABEL=VALUE` or `scale-to-zero`; repeat for a fallback.",
)
@click.option(
    "--restore", type=click.Choice(["template", "images"]), help="What of a workload's release is brought back."
)
@click.option("--pin", type=click.Choice(["never"]), help="Leave tags as they are, though they may have moved.")
@click.option(
    "--gitops",
    type=click.Choice(["pause", "force"]),
    help="Change a workload that something else keeps as it is, and pause that first, or not.",
)
@click.option(
    "--when-paused", type=click.Choice(["resume"]), help="Resume a Deployment whose rollout is paused, and go on."
)
@override_option
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
    every: bool,
    namespace: str | None,
    cluster: str | None,
    to: tuple[str, ...],
    restore: str | None,
    pin: str | None,
    gitops: str | None,
    when_paused: str | None,
    override: tuple[str, ...],
    reason: str,
    dry_run: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Roll instances of SERVICE back, by hand: by default to the release before the one that runs."""
    words = {"namespace": namespace, "cluster": cluster, "restore": restore, "pin": pin, "gitops": gitops}
    words["when_paused"] = when_paused
    asked = {
        "service": service,
        **_selection(instances, only, every=every),
        **{name: word for name, word in words.items() if word is not None},
        "to": _to(to),
        **({"override": names} if (names := overridden(override)) else {}),
        "reason": reason,
        "dry_run": dry_run,
    }
    server = api(config, url)
    answer = server.post("rollbacks", asked, PLANNING_S)
    if not as_json and answer.get("note"):
        say(answer["note"], style="bright_black")
    if dry_run:
        if not as_json:
            _add_left(server, service, answer["plans"])
        _print_plans(answer["plans"], as_json=as_json)
        return
    if as_json and not wait:
        print_json(answer)
    if not as_json:
        _print_opened(answer["rollbacks"])
    _check_taken(server, answer["rollbacks"])
    if wait:
        from controller.cli.following import follow  # noqa: PLC0415 - for those who wait

        follow(server, [rollback["id"] for rollback in answer["rollbacks"]], timeout, as_json=as_json)
    elif not as_json:
        say("`rollbackctl show ID` tells how it goes on, or why it was refused.", style="bright_black")


def _selection(instances: tuple[str, ...], only: tuple[str, ...], *, every: bool) -> dict[str, Any]:
    if sum((bool(instances), bool(only), every)) != 1:
        raise click.UsageError(
            "Say which instances: --instance NAME, --only LABEL=VALUE or --all, one of the three."
        )
    if instances:
        return {"instances": list(instances)}
    return {"all": True} if every else {"only": _labels(only, "--only ")}


def _labels(pairs: Iterable[str], option: str) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise click.UsageError(f"{option}{pair} is not LABEL=VALUE, as in {option}track=canary.")
        labels.setdefault(name, []).append(value)
    return labels


def _to(to: tuple[str, ...]) -> list[str | dict[str, Any]]:
    return [_entry(word) for word in to] or ["previous"]


def _entry(word: str) -> str | dict[str, Any]:
    if word in _WORDS:
        return word
    if word.startswith(_SAME_AS):
        return {"same-as": _labels(word.removeprefix(_SAME_AS).split(","), f"--to {_SAME_AS}")}
    return {"version": word}


def _add_left(server: Api, service: str, plans: list[dict[str, Any]]) -> None:
    """Note where a plan goes to a release that was rolled back from: by its name it is taken nevertheless."""
    if not any(plan.get("plan") for plan in plans):
        return
    recent = server.get("rollbacks", service=service, limit=_MOST_RECENT, state="ended")["rollbacks"]
    for plan in plans:
        to = (plan.get("plan") or {}).get("to_release")
        left = next((r for r in recent if (r["instance"], r["from"]) == (plan["instance"], to) and r["to"]), None)
        if to and left is not None and left["committed_at"]:
            said = (
                f"{to} was itself rolled back from {ago(left['committed_at'], now())}: {left['id']}, {cause(left)}"
            )
            plan["notes"] = [*(plan.get("notes") or ()), said]


def _print_plans(plans: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"plans": plans})
        good = all(plan.get("plan") and not plan.get("refusal") for plan in plans)
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


def _check_taken(server: Api, rollbacks: list[dict[str, Any]]) -> None:
    """Say so where a rollback that was there already goes elsewhere, or otherwise, than what was asked for."""
    other = [rollback for rollback in rollbacks if not rollback.get("taken", True)]
    if not other:
        return
    goes = "; ".join(_already(server.get(path_of(one["id"])), one["to"]) for one in other)
    ident = other[0]["id"]
    raise Failed(
        f"{goes}. Nothing of yours was added. `rollbackctl show {ident}` tells how it goes on; "
        f"`rollbackctl cancel {ident}` and ask again, while it has changed nothing."
    )


def _already(record: dict[str, Any], to: list[Any]) -> str:
    """Say who takes an instance back already, and where to."""
    where = moves(record) if record["to"] else f"to {', '.join(map(_word, to))}"
    return f"{label(record)}: {cause(record)} already takes it back, {where} ({standing(record)})"


def _word(entry: str | dict[str, Any]) -> str:
    return to_word(read_to(entry))
