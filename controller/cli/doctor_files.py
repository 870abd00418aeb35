"""The doctor's look at the settings, the rules and the inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.cli.failures import Unusable
from controller.cli.options import load
from controller.settings.house import House
from rules.findings import Finding, Section, counted, warns, well, wrong
from rules.reading.fileerrors import RuleFileErrors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controller.settings import Settings

_MOST = 10
_CHECK = "Correct it at this place; `rollbackctl rules check` says whether it is right."


def look_at_settings(config: Path | None) -> tuple[Settings | None, Section]:
    """Read the settings; None where they cannot be used."""
    try:
        settings = load(config)
    except Unusable as error:
        problems = error.message.splitlines()
        fix = "Correct the settings file; docs/reference/settings.md has every key."
        return None, Section("Settings", tuple(wrong(problem, fix) for problem in problems))
    return settings, Section("Settings", (well("They can be used."), *_about(settings)))


def _about(settings: Settings) -> Iterator[Finding]:
    if not settings.notify:
        what = "No channel in the settings: nobody is told when a rollback asks, is held, or fails."
        yield warns(what, "Add one under `notify:`; docs/how-to/notifications.md has examples.")
    if not settings.auth.enabled:
        what = "Authentication is off: whoever reaches the server may roll back."
        yield warns(what, "Leave `auth.enabled` out, and name tokens; `rollbackctl init` makes some.")


def look_at_files(settings: Settings) -> Section:
    """Read rules and inventory as a server would."""
    try:
        house = House.load(settings)
    except RuleFileErrors as error:
        found = [wrong(str(problem), _CHECK) for problem in error.errors[:_MOST]]
        more = len(error.errors) - _MOST
        found += (
            [wrong(f"And {counted(more, 'more error')}.", "See all with `rollbackctl rules check`.")]
            if more > 0
            else []
        )
        return Section("Rules and inventory", tuple(found))
    rules, services = house.rules, house.inventory.services
    hosts = sum(len(service.hosts) for service in services.values())
    there = f"{counted(len(services), 'service')}, {counted(hosts, 'instance')} on hosts"
    said = f"{counted(len(rules.rules), 'rule')}, {there}."
    found = [well(said)] if rules.rules else [wrong("There is no rule: no alert does anything.", _NO_RULE)]
    odd = sorted({*rules.warnings, *settings.surroundings.warnings(rules)})
    found += [warns(str(warning), _CHECK) for warning in odd[:_MOST]]
    return Section("Rules and inventory", tuple(found))


_NO_RULE = "Write one: docs/reference/rules.md begins with an example, and `rollbackctl init` writes a set."
