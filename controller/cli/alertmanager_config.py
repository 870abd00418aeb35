"""`rollbackctl alertmanager-config`: what Alertmanager needs to know, from the rules themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.options import config_option, load, load_house
from rules.durations import write_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from controller.settings import Settings
    from rules.rule import Rule

_HEAD = """\
# Receiver and routes for the rollback controller, from its rules: make them anew when the rules change.
# A complete file that `amtool check-config` accepts. To add it to yours: the entries of `routes` come first
# among your own (`continue: true` lets your other routes see the alerts all the same), the receiver beside yours.
"""

_ROUTE = """\
    - receiver: rollback-controller
      matchers: [{matchers}]
      continue: true
      group_by: [{group_by}]
      group_wait: 1s        # nobody waits for company
      group_interval: {interval}    # how late a resolve may come; `numbers.group-interval-s` says it too
      repeat_interval: 5m   # a repeat after the change is how we learn that it did not help
"""

_OF_ONE_HOST = ("alertname", "service", "instance")
_OF_ONE_NAMESPACE = ("alertname", "cluster", "namespace")
_OF_EITHER = ("alertname", "cluster", "namespace", "service")
"""Never the instance: with workloads that is a pod's address."""


@click.command("alertmanager-config")
@click.option("--url", help="The receiver as Alertmanager reaches it; by default the server of the settings.")
@click.option(
    "--credentials-file",
    help="The token file as Alertmanager sees it; by default the first token with the role alerts.",
)
@config_option
def command(*, url: str | None, credentials_file: str | None, config: Path | None) -> None:
    """Print the receiver and the route for Alertmanager, as a complete file."""
    settings = load(config)
    rules = load_house(settings).rules.rules
    token = credentials_file or _token_file(settings)
    address = url or f"{settings.server_url}/api/v1/alertmanager"
    click.echo(render(rules, address, token, settings.numbers.group_interval_s), nl=False)


def render(rules: Iterable[Rule], url: str, credentials_file: str | None, group_interval_s: float) -> str:
    """Write the configuration; equal lists of matchers make one route."""
    interval = write_duration(group_interval_s)
    routes: dict[tuple[str, ...], list[Rule]] = {}
    for rule in rules:
        for matchers in _matchers(rule):
            routes.setdefault(matchers, []).append(rule)
    lines = [_HEAD, "route:\n  receiver: default\n"]
    if routes:
        lines.append("  routes:\n")
    lines += [
        _ROUTE.format(
            matchers=", ".join(map(_quoted, matchers)), group_by=", ".join(_group_by(meant)), interval=interval
        )
        for matchers, meant in routes.items()
    ]
    lines.append("receivers:\n  - name: default\n  - name: rollback-controller\n    webhook_configs:\n")
    lines.append(f"      - url: {_quoted(url)}\n        send_resolved: true\n")
    if credentials_file is not None:
        lines.append("        http_config:\n          authorization:\n")
        lines.append(f"            credentials_file: {_quoted(credentials_file)}\n")
    return "".join(lines)


def _group_by(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return what one notification has in common.

    An alert about a pod that is gone is understood by those about other pods of its workload, so they come
    together. One about a host needs no company, and would only wait for the `group_interval` of another's.
    """
    targets = {rule.target.kubernetes is not None for rule in rules}
    if targets == {True, False}:
        return _OF_EITHER
    return _OF_ONE_NAMESPACE if True in targets else _OF_ONE_HOST


def _matchers(rule: Rule) -> Iterator[tuple[str, ...]]:
    """Return the lists under which an alert reaches a rule: one, or one for each entry of `any`."""
    always = tuple(map(str, rule.when.matchers))
    if not rule.when.any_of:
        yield always
    for either in rule.when.any_of:
        yield always + tuple(map(str, either))


def _token_file(settings: Settings) -> str | None:
    if not settings.auth.enabled:
        return None
    from controller.settings import Role  # noqa: PLC0415

    files = (token.file for token in settings.auth.tokens if Role.ALERTS in token.roles)
    found = next(files, None)
    return "/etc/alertmanager/rollback-token" if found is None else str(found.absolute())


def _quoted(text: str) -> str:
    """Write a text for YAML: in single quotes; where that cannot hold it, JSON's way is YAML's too."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=False)
