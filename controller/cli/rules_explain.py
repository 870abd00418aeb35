"""Says what each rule would do for each alert of a notification: from the files alone, with facts, or live."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click
from ruamel.yaml import YAML

from controller.cli.facts import read_facts
from controller.cli.failures import Failed, Unusable
from controller.cli.live import Live
from controller.cli.options import load
from controller.cli.rules_check import named
from controller.cli.terminal import clean, coloured, faint, print_json, say
from controller.settings.clusters import clusters_in_force
from controller.settings.reading import read_inventory, read_rules
from rules import explain as explaining
from rules.notifications import BadBody, Notification, parse_notification
from rules.services import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.cli.api import Api
    from rules.reading.fileerrors import FileError
    from rules.rulefile import RuleSet

_LABELS_SHOWN = 8


def explain(
    files: Sequence[Path],
    inventory: Path | None,
    config: Path | None,
    *,
    payload: Path,
    facts: Path | None,
    server: Api | None,
    as_json: bool,
) -> None:
    """Print one block for each alert, with one line for each rule."""
    clusters = _clusters(config) if config or not files else None
    files, inventory = named(files, inventory, config)
    rules = _rules(files)
    hosts = _hosts(inventory, needed=any(rule.target.hosts is not None for rule in rules.rules))
    body = _body(payload)
    notification = _parsed(payload, body)
    seen = read_facts(facts) if facts else None
    entries = explaining.explain(rules, hosts, notification.alerts, seen, clusters=clusters)
    if server is not None:
        live = Live.of(server, rules.rules)
        live.find_workloads(entries, json.loads(body))
        for entry, alert in zip(entries, notification.alerts, strict=True):
            live.complete(entry, alert)
    if as_json:
        print_json(
            {"alerts": entries, "bad": [{"index": b.index, "problem": b.problem} for b in notification.bad]}
        )
    else:
        _print(entries, notification)


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


def _clusters(config: Path | None) -> tuple[str, ...]:
    return tuple(clusters_in_force(load(config).clusters))


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


def _print(entries: Sequence[dict[str, Any]], notification: Notification) -> None:
    for entry in entries:
        _print_alert(entry)
    for bad in notification.bad:
        say(f"alert {bad.index} of the body cannot be read: {bad.problem}", style="red")
    if notification.truncated:
        say(f"{notification.truncated} more alerts were cut off by Alertmanager (max_alerts).", style="yellow")
    if not entries:
        say("The body holds no alert.")


def _print_alert(entry: dict[str, Any]) -> None:
    labels = dict(entry["labels"])
    name = labels.pop("alertname", "(no alertname)")
    click.echo(f"{click.style(clean(name), bold=True)}  {clean(entry['status'])}  {faint(entry['fingerprint'])}")
    shown = [f'{label}="{value}"' for label, value in sorted(labels.items())]
    more = f", and {len(shown) - _LABELS_SHOWN} more" if len(shown) > _LABELS_SHOWN else ""
    if shown:
        say(f"  {', '.join(shown[:_LABELS_SHOWN])}{more}", style="bright_black")
    width = max((len(clean(decision["rule"])) for decision in entry["decisions"]), default=0)
    for decision in entry["decisions"]:
        _print_decision(decision, width)
    say()


def _print_decision(decision: dict[str, Any], width: int) -> None:
    rule = f"{clean(decision['rule']):<{width}}"
    if decision["outcome"] == "no-match":
        say(f"  {rule}  no-match   {decision['detail']}", style="bright_black")
        return
    padding = " " * (9 - len(decision["outcome"]))
    click.echo(f"  {rule}  {coloured(decision['outcome'])}{padding}  {clean(decision['reason'])}: ", nl=False)
    say(decision["detail"])
