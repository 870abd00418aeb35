"""`rollbackctl init`: four questions, and a set of files that works at once and does nothing by itself yet."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.drafts import INVENTORY, RULES, SETTINGS, host_lines, reach_lines, rule_name
from controller.cli.failures import Failed, Unusable
from controller.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKENS = ("alertmanager", "operator")


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--service", help="What the service is called, like `shop`.")
@click.option("--hosts", help="Where it runs: names or addresses with commas between them, or `local`.")
@click.option("--releases", help="The folder that holds its releases, like /opt/shop/releases.")
@click.option("--unit", help="Its systemd unit, like shop.service.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; take the default of whatever is not said.")
def command(
    *, folder: Path, service: str | None, hosts: str | None, releases: str | None, unit: str | None, yes: bool
) -> None:
    """Ask four things and write settings, one rule that observes, the inventory and two tokens into DIR.

    Nothing is ever overwritten.
    """
    service = _ask("What is the service called?", service, "shop", yes=yes)
    _refuse_path(service)
    hosts = _ask(
        "On which hosts does it run? (names or addresses with commas, or `local`)", hosts, "local", yes=yes
    )
    releases = _ask("Which folder holds its releases?", releases, f"/opt/{service}/releases", yes=yes)
    unit = _ask("Which systemd unit runs it?", unit, f"{service}.service", yes=yes)
    names = [name.strip() for name in hosts.split(",") if name.strip()]
    current = str(Path(releases).parent / "current")
    words = {"service": service, "releases": releases, "current": current, "unit": unit}
    words |= {"rule": rule_name(service), "reach": reach_lines(names), "hosts": host_lines(names)}
    files = {name: text.format(**words) for name, text in _TEXTS.items()}
    _refuse_unsound(files)
    _write(folder, files)
    _say_what_next(folder)


_TEXTS = {"rollback.yaml": SETTINGS, "rules.yaml": RULES, "inventory.yaml": INVENTORY}


def _ask(question: str, given: str | None, default: str, *, yes: bool) -> str:
    if given is None:
        given = default if yes else click.prompt(click.style(question, bold=True), default=default, err=True)
    if not given.strip() or any(character in given for character in '"\\\n\r\t{}'):
        raise Unusable(f"{given!r} cannot be used here. Say it without quotes, braces and backslashes.")
    return given.strip()


def _refuse_path(service: str) -> None:
    if "/" in service:
        raise Unusable(f"{service!r} is a path. The name of the service is one word, like `shop`.")


def _refuse_unsound(files: Mapping[str, str]) -> None:
    """Have the answers judged by those who will read them, before anything is written."""
    from rules.inventory import parse_inventory  # noqa: PLC0415 - not needed to ask
    from rules.rulefile import RuleFileErrors, parse_rules  # noqa: PLC0415

    try:
        parse_rules(files["rules.yaml"], "rules.yaml")
        parse_inventory(files["inventory.yaml"], "inventory.yaml")
    except RuleFileErrors as error:
        said = "; ".join(problem.message for problem in error.errors)
        raise Unusable(f"This cannot be used: {said}. Nothing was written.") from error


def _write(folder: Path, files: Mapping[str, str]) -> None:
    tokens = {f"tokens/{name}": secrets.token_urlsafe(32) + "\n" for name in _TOKENS}
    there = [name for name in (*files, *tokens) if (folder / name).exists()]
    if there:
        raise Failed(
            f"{folder} already has {', '.join(there)}; nothing was written. Name another DIR, or move them."
        )
    try:
        (folder / "tokens").mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, text in files.items():
            _create(folder / name, text, 0o644)
        for name, text in tokens.items():
            _create(folder / name, text, 0o600)
    except OSError as error:
        raise Failed(f"Cannot write {error.filename}: {error.strerror}. Name a DIR that we may write.") from error


def _create(path: Path, text: str, mode: int) -> None:
    """Create a file that is not there; its mode is right from its first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)


def _say_what_next(folder: Path) -> None:
    for name in (*_TEXTS, *(f"tokens/{name}" for name in _TOKENS)):
        say(f"wrote {folder / name}")
    config = "" if folder.resolve() == Path.cwd() else f" --config {folder / 'rollback.yaml'}"
    say()
    say("Next", bold=True)
    for does, argv in (
        ("look the files over, and check them", f"rollbackctl rules check{config}"),
        ("tell Alertmanager about us", f"rollbackctl alertmanager-config{config}"),
        ("run it; the rule only observes until you set `mode: act`", f"rollbackctl up{config}"),
    ):
        say(f"  {argv}")
        say(f"      {does}", style="bright_black")
