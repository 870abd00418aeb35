"""Reads rule files and the inventory from disk, and collects every error of every file before giving up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.inventory import parse_inventory
from rules.rulefile import FileError, RuleFileErrors, RuleSet, combine, parse_rules
from rules.services import Inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rules.reading.surroundings import Surroundings


def rule_files(sources: Iterable[Path]) -> tuple[Path, ...]:
    """Name the files behind `sources`: a file is itself, a directory its `*.yaml` in order of their names.

    Tests of rules stand beside them, as `*.test.yaml`, and are no rules.
    """
    return tuple(_files(sources))


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from sorted(path for path in source.glob("*.yaml") if not _is_no_rule(path.name))
        else:
            yield source


def _is_no_rule(name: str) -> bool:
    return name.startswith(".") or name.endswith(".test.yaml")


def read_rules(
    sources: Iterable[Path], surroundings: Surroundings | None = None
) -> tuple[RuleSet | None, list[FileError]]:
    """Read rule files, and compare them with each other and with the settings; None where there are errors."""
    errors: list[FileError] = []
    sets: list[RuleSet] = []
    for path in rule_files(sources):
        try:
            sets.append(parse_rules(_data(path), str(path)))
        except RuleFileErrors as error:
            errors.extend(error.errors)
    if errors:
        return None, errors
    try:
        ruleset = combine(sets)
    except RuleFileErrors as error:
        return None, list(error.errors)
    unknown = [] if surroundings is None else sorted(surroundings.errors(ruleset))
    return (None, unknown) if unknown else (ruleset, [])


def read_inventory(path: Path) -> tuple[Inventory | None, list[FileError]]:
    """Read the inventory; None where there are errors."""
    try:
        return parse_inventory(_data(path), str(path)), []
    except RuleFileErrors as error:
        return None, list(error.errors)


def read_house(
    sources: Iterable[Path], inventory: Path, surroundings: Surroundings | None = None
) -> tuple[RuleSet | None, Inventory | None, list[FileError]]:
    """Read rules and the inventory they go by; None for what has errors.

    With `surroundings`, what rules name of the settings must be there. Where no rule is about hosts there need be
    no inventory.
    """
    rules, errors = read_rules(sources, surroundings)
    if not inventory.exists() and not (rules and any(rule.target.hosts for rule in rules.rules)):
        return rules, Inventory({}), errors
    hosts, wrong = read_inventory(inventory)
    return rules, hosts, [*errors, *wrong]


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}; write it, or correct its name in the settings"
        raise RuleFileErrors((FileError(str(path), 1, 1, message),)) from error
