"""Says what each rule would do for each alert of a notification: from the files alone, with facts, or live."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from controller.cli.explained import print_alert
from controller.cli.facts import Known, known, read_facts
from controller.cli.failures import Failed, Unusable
from controller.cli.firing import Firing, firing
from controller.cli.live import Live
from controller.cli.options import load
from controller.cli.rules_check import named
from controller.cli.terminal import print_json, say
from controller.settings.clusters import clusters_in_force
from controller.settings.reading import read_inventory, read_rules
from rules import explain as explaining
from rules.limits import NO_POLICY
from rules.notifications import BadBody, Notification, parse_notification
from rules.services import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.cli.api import Api
    from rules.reading.fileerrors import FileError
    from rules.rulefile import RuleSet


@dataclass(frozen=True, slots=True)
class Shown:
    """How the answer is printed. `why`: with every guard, its facts and every candidate."""

    as_json: bool = False
    why: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Which alerts: those of a body, or those that fire now in an Alertmanager."""

    payload: Path | None = None
    alertmanager: str | None = None
    receiver: str | None = None

    def read(self) -> Firing:
        """Return the body, what it says, and what fires besides."""
        if self.alertmanager is not None:
            return firing(self.alertmanager, self.receiver)
        if self.payload is None:
            raise Unusable("Say which alerts: --payload FILE, or --alertmanager URL.")
        body = _body(self.payload)
        return Firing(body, _parsed(self.payload, body))


def explain(
    files: Sequence[Path],
    inventory: Path | None,
    config: Path | None,
    asked: Asked,
    *,
    facts: Path | None,
    server: Api | None,
    shown: Shown,
) -> None:
    """Print one block for each alert, with one line for each rule."""
    settings = load(config) if config or not files else None
    clusters = None if settings is None else tuple(clusters_in_force(settings.clusters))
    files, inventory = named(files, inventory, config)
    rules = _rules(files)
    hosts = _hosts(inventory, needed=any(rule.target.hosts is not None for rule in rules.rules))
    told = None if facts is None else read_facts(facts)
    found = asked.read()
    notification = found.told
    policy = NO_POLICY if settings is None else settings.policy
    now_ms = None if asked.alertmanager is None else round(time.time() * 1000)
    what = Known()
    if told is not None:
        what = known(told, hosts, found, clusters=clusters or (), policy=policy, now_ms=now_ms)
    entries = explaining.explain(rules, hosts, notification.alerts, what.seen, clusters=clusters, world=what.world)
    if server is not None:
        live = Live.of(server, rules.rules)
        live.find_workloads(entries, json.loads(found.body))
        for entry, alert in zip(entries, notification.alerts, strict=True):
            live.complete(entry, alert)
    if shown.as_json:
        print_json(
            {"alerts": entries, "bad": [{"index": b.index, "problem": b.problem} for b in notification.bad]}
        )
    else:
        _print(entries, notification, shown)


def print_expanded(files: Sequence[Path], config: Path | None, name: str, *, as_json: bool) -> None:
    """Print one rule with every default filled in."""
    rules = _rules(named(files, None, config)[0])
    rule = next((rule for rule in rules.rules if rule.name == name), None)
    if rule is None:
        known = ", ".join(rule.name for rule in rules.rules) or "none"
        raise Failed(f"There is no rule {name!r}. There is: {known}.")
    if as_json:
        print_json(rule.expanded())
        return
    text = io.StringIO()
    yaml = YAML(typ="rt")
    yaml.default_flow_style, yaml.width = False, 100
    yaml.dump({"version": "rules/v1", "rules": [rule.expanded()]}, text)
    say(f"# {rule.source}, digest {rule.digest}", style="bright_black")
    for line in text.getvalue().splitlines():
        say(line)


def _rules(files: Sequence[Path]) -> RuleSet:
    rules, errors = read_rules(files)
    if rules is None:
        raise _wrong(errors)
    return rules


def _hosts(inventory: Path | None, *, needed: bool) -> Inventory:
    if inventory is None and not needed:
        return Inventory({})
    if inventory is None:
        raise Unusable("Say which hosts there are: --inventory FILE.")
    if not needed and not inventory.exists():
        return Inventory({})
    hosts, errors = read_inventory(inventory)
    if hosts is None:
        raise _wrong(errors)
    return hosts


def _wrong(errors: Sequence[FileError]) -> Failed:
    return Failed("\n".join(map(str, errors)))


def _body(payload: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(payload) == "-" else payload.read_bytes()
    except OSError as error:
        raise Failed(f"{payload} cannot be read: {error.strerror}.") from error


def _parsed(payload: Path, body: bytes) -> Notification:
    try:
        return parse_notification(body)
    except BadBody as error:
        raise Failed(f"{payload}: {error}. Give it a body as Alertmanager's webhook sends it.") from error


def _print(entries: Sequence[dict[str, Any]], notification: Notification, shown: Shown) -> None:
    for entry in entries:
        print_alert(entry, why=shown.why)
    for bad in notification.bad:
        say(f"alert {bad.index} of the body cannot be read: {bad.problem}", style="red")
    if notification.truncated:
        say(f"{notification.truncated} more alerts were cut off by Alertmanager (max_alerts).", style="yellow")
    if not entries:
        say("There is no alert.")
