"""What every file that loads must be good for: whatever an alert says, each rule has an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import TypeVar

from controller.ledger.intake import heard_of
from fuzz.corpus import texts
from fuzz.target import hold
from rules.alerts import Alert
from rules.explain import explain
from rules.factsfile import FactsFile, parse_facts
from rules.inventory import Inventory, parse_inventory
from rules.limits import NO_POLICY, Policy
from rules.reading.fileerrors import FileError, RuleFileErrors
from rules.rulefile import RuleSet, parse_rules
from rules.world import World

Loaded = TypeVar("Loaded")

_OF_A_LIBRARY = re.compile(
    r"Input should|Value error|String should|List should|Dictionary should|validation error"
)


@cache
def known_inventory() -> Inventory:
    """Return the inventory that the rules here are about."""
    return parse_inventory(texts("inventory")[0], "inventory.yaml")


@cache
def known_rules() -> tuple[RuleSet, ...]:
    """Return the rules of the project's own files that load."""
    return tuple(_loaded(parse_rules, "rules"))


@cache
def known_facts() -> tuple[FactsFile, ...]:
    """Return the facts of the project's own files that load."""
    return tuple(_loaded(parse_facts, "facts"))


def _loaded(parse: Callable[[str, str], Loaded], kind: str) -> Iterator[Loaded]:
    for text in texts(kind):
        with suppress(RuleFileErrors):  # part of a test, and nothing without the rest of it
            yield parse(text, f"{kind}.yaml")


def answers(
    rules: RuleSet, alerts: Sequence[Alert], inventory: Inventory | None = None, world: World | None = None
) -> None:
    """Ask every rule about every alert, as the receiver and `rules explain` do."""
    inventory = known_inventory() if inventory is None else inventory
    for alert in alerts:
        heard_of(alert, rules, inventory)
    entries = explain(rules, inventory, alerts, clusters=("eu",), world=world)
    for entry in entries:
        for decision in entry["decisions"]:
            hold(decision["outcome"] and decision["reason"] and decision["detail"], f"no answer: {decision}")
    json.dumps(entries)


def world_of(
    facts: FactsFile, inventory: Inventory, alerts: Sequence[Alert], policy: Policy = NO_POLICY
) -> World | None:
    """Return what the facts say; None where they name what cannot be told."""
    try:
        return facts.world(inventory, alerts, policy=policy)
    except RuleFileErrors as error:
        errors_have_places(error.errors, facts.document.file, facts.document.text)
        return None


def errors_have_places(errors: Iterable[FileError], file: str, text: str | bytes) -> None:
    """Check that each error is at a place in the file, in words of the project's own."""
    lines = len(re.findall(rb"\r\n|\r|\n", text.encode(errors="replace") if isinstance(text, str) else text)) + 2
    told = list(errors)
    hold(told, "refused without an error")
    for error in told:
        hold(error.file == file, f"an error in another file: {error}")
        hold(1 <= error.line <= lines and error.column >= 1, f"no place in the file: {error}")
        hold(len(error.message) > 12, f"nobody can act on this: {error}")
        hold("\n" not in error.message, f"more than one line: {error!r}")
        hold(not _OF_A_LIBRARY.search(error.message), f"words of a library: {error}")
