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
WHEN = [
    """{matchers: ['alertname="HighErrorRate"', 'severity="critical"']}""",
    """{matchers: ['alertname=~"High.*|It''s \\\\d+"', 'path!="C:\\\\x"', 'empty=""']}""",
    """{matchers: ['a="1"'], any: [{matchers: ['b="2"', 'c!~"x|y"']}, {matchers: ['d="größe 🙂"']}]}""",
    """{any: [{matchers: ["note=\\"tab\\\\there\\""]}]}""",
]


def _printed(folder: Path, whens: list[str], settings: str = SETTINGS, *words: str) -> str:
    rules = "".join(RULE % (at, when) for at, when in enumerate(whens))
    (folder / "rules.yaml").write_text(
        f"version: rules/v1\nrules:{rules}" if rules else "version: rules/v1\nrules: []"
    )
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "rollback.yaml").write_text(settings)
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
