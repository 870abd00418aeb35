"""`rollbackctl alertmanager-config` prints a complete file that Alertmanager accepts, whatever the rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from testbed.alertmanager import amtool_accepts

from controller.cli.main import cli

INVENTORY = "version: inventory/v1\nconnection: local\nservices: {}\n"
SETTINGS = "auth: {tokens: [{name: am, roles: [alerts], file: am.token}]}\n"
RULE = """
  - name: rule-%d
    when: %s
    target: {hosts: {instance: "{{ $labels.instance }}"}}
    to: [previous]
"""
WORKLOADS = """
  - name: workload-%d
    when: %s
    target: {kubernetes: {}, only: {track: canary}}
    to: [previous]
"""
WHEN = [
    """{matchers: ['alertname="HighErrorRate"', 'severity="critical"']}""",
    """{matchers: ['alertname=~"High.*|It''s \\\\d+"', 'path!="C:\\\\x"', 'empty=""']}""",
    """{matchers: ['a="1"'], any: [{matchers: ['b="2"', 'c!~"x|y"']}, {matchers: ['d="größe 🙂"']}]}""",
    """{any: [{matchers: ["note=\\"tab\\\\there\\""]}]}""",
]


def _printed(folder: Path, whens: list[str], settings: str = SETTINGS, *words: str) -> str:
    _write(folder, "".join(RULE % (at, when) for at, when in enumerate(whens)), settings)
    return _print(folder, *words)


def _write(folder: Path, rules: str, settings: str = SETTINGS) -> None:
    (folder / "rules.yaml").write_text(
        f"version: rules/v1\nrules:{rules}" if rules else "version: rules/v1\nrules: []"
    )
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "rollback.yaml").write_text(settings)


def _print(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, ["alertmanager-config", "--config", str(folder / "rollback.yaml"), *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("whens", [WHEN, *([when] for when in WHEN), []])
def test_amtool_accepts_it(tmp_path: Path, whens: list[str]) -> None:
    """With quotes, backslashes, control characters and letters from everywhere in the matchers."""
    path = tmp_path / "alertmanager.yml"
    path.write_text(_printed(tmp_path, whens))
    amtool_accepts(path)


def test_every_rule_has_its_routes_once(tmp_path: Path) -> None:
    """One for each list of matchers; rules that ask the same share one."""
    printed = _printed(tmp_path, [WHEN[0], WHEN[0], WHEN[2]])
    assert printed.count("- receiver: rollback-controller") == 3
    assert printed.count("\n      continue: true\n") == 3
    assert """matchers: ['a="1"', 'b="2"', 'c!~"x|y"']""" in printed


@pytest.mark.parametrize(
    ("rules", "group_by"),
    [
        ((RULE,), "[alertname, service, instance]"),
        ((WORKLOADS,), "[alertname, cluster, namespace]"),
        ((RULE, WORKLOADS), "[alertname, cluster, namespace, service]"),
        ((WORKLOADS, RULE), "[alertname, cluster, namespace, service]"),
    ],
)
def test_alerts_that_explain_each_other_come_together(
    tmp_path: Path, rules: tuple[str, ...], group_by: str
) -> None:
    """Those about the pods of one workload do; a host's alert needs no company. One route serves both kinds."""
    _write(tmp_path, "".join(rule % (0, WHEN[0]) for rule in rules))
    printed = _print(tmp_path)
    assert printed.count("group_by:") == 1
    assert f"group_by: {group_by}\n" in printed
    path = tmp_path / "alertmanager.yml"
    path.write_text(printed)
    amtool_accepts(path)


def test_each_route_groups_for_its_own_rules(tmp_path: Path) -> None:
    """In a set of both kinds that ask for different alerts."""
    _write(tmp_path, RULE % (0, WHEN[0]) + WORKLOADS % (0, WHEN[1]))
    hosts, workloads = _print(tmp_path).split("- receiver:")[1:3]
    assert "group_by: [alertname, service, instance]" in hosts
    assert "group_by: [alertname, cluster, namespace]" in workloads


def test_it_sends_resolves_with_the_credentials_of_the_settings(tmp_path: Path) -> None:
    """A resolve is how a rollback learns that it helped."""
    printed = _printed(tmp_path, WHEN[:1])
    assert "send_resolved: true" in printed
    assert f"credentials_file: '{tmp_path / 'am.token'}'" in printed
    assert "url: 'http://127.0.0.1:8095/api/v1/alertmanager'" in printed


def test_another_machine_sees_other_paths(tmp_path: Path) -> None:
    """Both can be said."""
    words = ("--url", "https://rollback.example/api/v1/alertmanager", "--credentials-file", "/etc/am/token")
    printed = _printed(tmp_path, WHEN[:1], SETTINGS, *words)
    assert "url: 'https://rollback.example/api/v1/alertmanager'" in printed
    assert "credentials_file: '/etc/am/token'" in printed


def test_without_authentication_there_are_no_credentials(tmp_path: Path) -> None:
    """For a trial on loopback."""
    printed = _printed(tmp_path, WHEN[:1], "auth: {enabled: false}\n")
    assert "http_config" not in printed
