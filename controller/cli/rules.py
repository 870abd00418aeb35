"""`rollbackctl rules`: is it written right, and what would it do."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import api_options, config_option, json_option
from controller.cli.promote import command as promote

_FILES = click.Path(path_type=Path)
_inventory_option = click.option("--inventory", type=_FILES, help="Inventory file; by default the settings'.")


@click.group("rules")
def command() -> None:
    """Check rule files, test them, and explain what they would do."""


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
@click.option("--alertmanager", metavar="URL", help="In place of a body: what fires there now.")
@click.option("--receiver", help="With --alertmanager: only what is routed to this receiver.")
@click.option("--facts", type=_FILES, help="What is known (docs/reference/facts.md): every guard is asked then.")
@click.option("--why", "--verbose", "-v", is_flag=True, help="Print every guard, fact and candidate.")
@click.option("--live", is_flag=True, help="Ask the running controller what it would take; changes nothing.")
@click.option("--expanded", metavar="RULE", help="Print this rule with every default filled in.")
@_inventory_option
@json_option
@api_options
def explain(  # noqa: PLR0913 - the words of the command line
    *,
    files: tuple[Path, ...],
    payload: Path | None,
    alertmanager: str | None,
    receiver: str | None,
    facts: Path | None,
    why: bool,
    live: bool,
    expanded: str | None,
    inventory: Path | None,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Say what each rule would do for each alert, and why.

    The alerts are those of a notification, or those that fire now in an Alertmanager. Without --facts and --live
    it says what the rules select. With --facts every guard is asked and the release is chosen; nothing is reached.
    """
    from controller.cli.options import api  # noqa: PLC0415
    from controller.cli.rules_explain import Asked, Shown, print_expanded  # noqa: PLC0415
    from controller.cli.rules_explain import explain as run  # noqa: PLC0415

    if expanded is not None:
        print_expanded(files, config, expanded, as_json=as_json)
        return
    if (payload is None) == (alertmanager is None):
        raise click.UsageError(
            "Say which alerts: --payload FILE (or - for standard input), --alertmanager URL, or --expanded RULE."
        )
    server = api(config, url) if live else None
    asked = Asked(payload, alertmanager, receiver)
    run(files, inventory, config, asked, facts=facts, server=server, shown=Shown(as_json=as_json, why=why))


@command.command("test")
@click.argument("sources", nargs=-1, required=True, type=_FILES, metavar="FILE|DIR...")
@click.option("-k", "words", metavar="WORDS", help="Only the tests that have these words in their name.")
@click.option("--junit", type=_FILES, metavar="FILE", help="Also write the results as JUnit XML.")
@json_option
def test(*, sources: tuple[Path, ...], words: str | None, junit: Path | None, as_json: bool) -> None:
    """Run the tests that stand beside rules: of a folder, its *.test.yaml.

    Exit 1 if a test fails, or cannot be run. Nothing is reached: all that counts stands in the files.
    """
    from controller.cli.rules_test import test as run  # noqa: PLC0415

    run(sources, words, junit, as_json=as_json)


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of the rule file, for editors."""
    from importlib import resources  # noqa: PLC0415

    click.echo((resources.files("rules") / "schema" / "rules.v1.json").read_text(encoding="utf-8"), nl=False)


command.add_command(promote)
