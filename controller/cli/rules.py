"""`rollbackctl rules`: is it written right, and what would it do."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api_options, config_option, json_option

_FILES = click.Path(path_type=Path)
_inventory_option = click.option("--inventory", type=_FILES, help="Inventory file; by default the settings'.")


@click.group("rules")
def command() -> None:
    """Check rule files, and explain what they would do."""


@command.command("check")
@click.argument("files", nargs=-1, type=_FILES)
@_inventory_option
@json_option
@config_option
def check(*, files: tuple[Path, ...], inventory: Path | None, as_json: bool, config: Path | None) -> None:
    """Check rule FILES and the inventory: every mistake at its place.

    Without FILES, those of the settings. Freeze windows and channels that rules name are looked up in the
    settings; with FILES, only where --config names them. Exit 1 if there is an error; warnings alone are no error.
    """
    from controller.cli.rules_check import check as run  # noqa: PLC0415 - each command loads what it needs

    run(files, inventory, config, as_json=as_json)


@command.command("explain")
@click.argument("files", nargs=-1, type=_FILES)
@click.option(
    "--payload", type=click.Path(path_type=Path, allow_dash=True), help="Alertmanager's webhook body; - reads it."
)
@click.option("--facts", type=_FILES, help="What runs where, as JSON or YAML, to name the release as well.")
@click.option("--live", is_flag=True, help="Ask the running controller what it would take; changes nothing.")
@click.option("--expanded", metavar="RULE", help="Print this rule with every default filled in.")
@_inventory_option
@json_option
@api_options
def explain(  # noqa: PLR0913 - the words of the command line
    *,
    files: tuple[Path, ...],
    payload: Path | None,
    facts: Path | None,
    live: bool,
    expanded: str | None,
    inventory: Path | None,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Say what each rule would do for each alert of a notification, and why."""
    from controller.cli.options import api  # noqa: PLC0415
    from controller.cli.rules_explain import explain as run  # noqa: PLC0415
    from controller.cli.rules_explain import print_expanded  # noqa: PLC0415

    if expanded is not None:
        print_expanded(files, config, expanded, as_json=as_json)
    elif payload is None:
        raise click.UsageError("Say which alerts: --payload FILE (or - for standard input), or --expanded RULE.")
    else:
        server = api(config, url) if live else None
        run(files, inventory, config, payload=payload, facts=facts, server=server, as_json=as_json)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of the rule file, for editors."""
    from importlib import resources  # noqa: PLC0415

    click.echo((resources.files("rules") / "schema" / "rules.v1.json").read_text(encoding="utf-8"), nl=False)
