"""Reads rule files and the inventory as the server would, and says everything that is wrong with them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from controller.cli.failures import Failed
from controller.cli.options import load
from controller.cli.terminal import clean, print_json, say
from controller.settings.reading import read_house, read_rules, rule_files

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized
    from pathlib import Path

    from rules.reading.fileerrors import FileError
    from rules.reading.surroundings import Surroundings
    from rules.rulefile import RuleSet
    from rules.services import Inventory


def check(files: Sequence[Path], inventory: Path | None, config: Path | None, *, as_json: bool) -> None:
    """Print every error and warning and a summary; ends with exit code 1 if there is an error."""
    settings = load(config) if config is not None or not files else None
    files, inventory = named(files, inventory, config)
    if not rule_files(files):
        where = ", ".join(map(str, files))
        raise Failed(f"Nothing was checked: there is no rule file in {where}. Of a folder, its *.yaml are read.")
    hosts, around = None, settings.surroundings if settings else None
    if inventory is None:
        rules, errors = read_rules(files, around)
    else:
        rules, hosts, errors = read_house(files, inventory, around)
    warnings = () if rules is None else _warnings(rules, around)
    if as_json:
        print_json({"errors": [asdict(e) for e in errors], "warnings": [asdict(w) for w in warnings]})
    else:
        _print(errors, warnings)
        say(_summary(rules, hosts, errors, warnings), style="red" if errors else "green")
    if errors:
        raise click.exceptions.Exit(Failed.exit_code)


def _warnings(rules: RuleSet, around: Surroundings | None) -> tuple[FileError, ...]:
    more = [] if around is None else around.warnings(rules)
    return tuple(sorted({*rules.warnings, *more}))


def named(
    files: Sequence[Path], inventory: Path | None, config: Path | None
) -> tuple[Sequence[Path], Path | None]:
    """Take what is named; where no rule file is, what the settings name."""
    if files:
        return files, inventory
    settings = load(config)
    return settings.rules, inventory or settings.inventory


def _print(errors: Sequence[FileError], warnings: Sequence[FileError]) -> None:
    for error in errors:
        click.echo(f"{_place(error)}: {click.style('error:', fg='red')} {clean(error.message)}")
    for warning in warnings:
        click.echo(f"{_place(warning)}: {click.style('warning:', fg='yellow')} {clean(warning.message)}")


def _place(error: FileError) -> str:
    return click.style(clean(f"{error.file}:{error.line}:{error.column}"), bold=True)


def _summary(
    rules: RuleSet | None, hosts: Inventory | None, errors: Sequence[FileError], warnings: Sequence[FileError]
) -> str:
    if errors:
        return f"{_count(errors, 'error')}: a running controller keeps the rules it has."
    parts = [_count(rules.rules, "rule")] if rules is not None else []
    if hosts is not None:
        parts += [_count(hosts.services, "service")]
        parts += [_count([host for service in hosts.services.values() for host in service.hosts], "host")]
    odd = f"; {_count(warnings, 'warning')}" if warnings else ""
    return f"{', '.join(parts)}: no errors{odd}."


def _count(things: Sized, name: str) -> str:
    number = len(things)
    return f"{number} {name}" + ("" if number == 1 else "s")
