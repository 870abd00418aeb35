"""`rollbackctl rules`: every mistake at its place, and for every alert what each rule would do, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller.cli.main import cli

RULES = """
version: rules/v1
rules:
  - name: canary-errors
    mode: act
    when: {matchers: ['alertname="HighErrorRate"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}, only: {track: canary}}
    to: [previous]
"""
INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts:
      - {name: web1, address: 10.0.0.1, labels: {track: stable}}
      - {name: web2, address: 10.0.0.2, labels: {track: canary}}
"""
FILES = ["rules.yaml", "--inventory", "inventory.yaml"]
FACTS = {"hosts/default/shop/web2": {"running": "v1.3.0", "releases": ["v1.1.0", "v1.2.0", "v1.3.0"]}}


def _alert(fingerprint: str, **labels: str) -> dict[str, Any]:
    times = {"startsAt": "2026-11-21T03:00:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    return {"status": "firing", "labels": labels, "annotations": {}, "fingerprint": fingerprint, **times}


BODY = {
    "version": "4",
    "status": "firing",
    "receiver": "rollback",
    "groupKey": "{}",
    "alerts": [
        _alert("aa", alertname="HighErrorRate", instance="web2:9100"),
        _alert("bb", alertname="HighErrorRate", instance="web1:9100"),
        _alert("cc", alertname="Other", note="\x1b[31m"),
        {"status": "firing"},
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the files of one installation into the working directory."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "payload.json").write_text(json.dumps(BODY))
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _rules(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["rules", *words], input=text)


def test_files_without_mistakes_are_counted(folder: Path) -> None:
    """Named ones as those of the settings."""
    assert _rules("check", "rules.yaml").output == "1 rule: no errors.\n"
    (folder / "rollback.yaml").write_text("rules: rules.yaml")
    assert _rules("check").output == "1 rule, 1 service, 2 hosts: no errors.\n"


def test_every_mistake_of_every_file_is_told_at_its_place(folder: Path) -> None:
    """Exit 1, and nothing but the mistakes and their number."""
    (folder / "rules.yaml").write_text(RULES.replace("when:", "wen:").replace("[previous]", "[last-known-god]"))
    (folder / "inventory.yaml").write_text(INVENTORY.replace("releases:", "release:"))
    done = _rules("check", "rules.yaml", "missing.yaml", "--inventory", "inventory.yaml")
    assert done.exit_code == 1
    for place in ("rules.yaml:6:5: error: ", "rules.yaml:8:10: error: ", "inventory.yaml:6:5: error: "):
        assert place in done.output
    assert "missing.yaml:1:1: error: the file cannot be read" in done.output
    assert "errors: a running controller keeps the rules it has." in done.output


def test_mistakes_are_data_too(folder: Path) -> None:
    """For editors and pipelines."""
    (folder / "rules.yaml").write_text(RULES.replace("mode: act", "mode: atc"))
    done = _rules("check", "rules.yaml", "--json")
    (error,) = json.loads(done.output)["errors"]
    assert (done.exit_code, error["file"], error["line"]) == (1, "rules.yaml", 5)


def test_a_folder_without_rule_files_was_not_checked(folder: Path) -> None:
    """A misspelt folder must not pass a pipeline."""
    (folder / "empty").mkdir()
    (folder / "empty" / "rules.yml").write_text(RULES)
    answer = CliRunner().invoke(cli, ["rules", "check", "empty", "--inventory", "inventory.yaml"])
    assert answer.exit_code == 1
    assert "Nothing was checked: there is no rule file in empty" in answer.output


def test_a_warning_is_no_error(folder: Path) -> None:
    """It is told, and the exit code stays 0."""
    (folder / "rules.yaml").write_text(RULES.replace("alertname=", "alertname!="))
    done = _rules("check", "rules.yaml")
    assert done.exit_code == 0
    assert "rules.yaml:4:11: warning: `canary-errors` matches every alert" in done.output


def test_what_rules_name_is_looked_up_in_the_settings(folder: Path) -> None:
    """Where the settings are named or nothing else is; a file alone may be meant for any."""
    guarded = RULES + "    guards: {freeze: [christmas]}\n    verify: {cleared-within: 1m}\n"
    (folder / "rules.yaml").write_text(guarded)
    (folder / "rollback.yaml").write_text("rules: rules.yaml\n")
    assert _rules("check", "rules.yaml").exit_code == 0
    for words in (["check"], ["check", "rules.yaml", "--config", "rollback.yaml"]):
        done = _rules(*words)
        assert done.exit_code == 1
        assert "error: the settings know no freeze window `christmas`" in done.output
    window = '{from: "1:00", to: "2:00", timezone: UTC}'
    (folder / "rollback.yaml").write_text(f"rules: rules.yaml\npolicy: {{freeze: {{christmas: {window}}}}}\n")
    done = _rules("check")
    assert done.exit_code == 0
    assert "warning: `canary-errors` waits 1m for the alert to be gone" in done.output


def _explained(*words: str) -> list[tuple[str, str, dict[str, str | None]]]:
    done = _rules("explain", *FILES, "--json", *words)
    assert done.exit_code == 0, done.output
    alerts = json.loads(done.output)["alerts"]
    return [(d["outcome"], d["reason"], d["instances"]) for alert in alerts for d in alert["decisions"]]


def test_what_each_rule_would_do_needs_no_host(folder: Path) -> None:
    """Without facts the release is not known yet."""
    assert _explained("--payload", "payload.json") == [
        ("roll-back", "allowed", {"hosts/default/shop/web2": None}),
        ("no-match", "not-selected", {}),
        ("no-match", "no-match", {}),
    ]


def test_facts_name_the_release(folder: Path) -> None:
    """Releases are listed from old to new."""
    assert _explained("--payload", "payload.json", "--facts", "facts.json")[0] == (
        "roll-back",
        "allowed",
        {"hosts/default/shop/web2": "v1.2.0"},
    )


def test_the_story_is_told_to_people_too(folder: Path) -> None:
    """From standard input, with bad alerts named and nothing that steers the terminal."""
    done = _rules(
        "explain", "rules.yaml", "--inventory", "inventory.yaml", "--payload", "-", text=json.dumps(BODY)
    )
    assert done.exit_code == 0
    assert "canary-errors  roll-back  allowed: rolls back shop on web2" in done.output
    assert "alert 3 of the body cannot be read" in done.output
    assert "\x1b" not in done.output


def test_a_rule_is_shown_with_every_default(folder: Path) -> None:
    """As it would be written with nothing left out: what is printed is a rule file again."""
    done = _rules("explain", "rules.yaml", "--expanded", "canary-errors")
    assert "cleared-within: auto" in done.output
    (folder / "again.yaml").write_text(done.output)
    assert _rules("check", "again.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["explain", "rules.yaml"], 2, "Say which alerts: --payload FILE"),
        (
            ["explain", "rules.yaml", "--payload", "payload.json"],
            2,
            "Say which hosts there are: --inventory FILE.",
        ),
        (["explain", "rules.yaml", "--expanded", "nope"], 1, "There is no rule 'nope'. There is: canary-errors."),
        (["explain", *FILES, "--payload", "rules.yaml"], 1, "rules.yaml: "),
        (
            ["explain", "rules.yaml", "--inventory", "rules.yaml", "--payload", "payload.json"],
            1,
            "rules.yaml:2:10: ",
        ),
        (["explain", *FILES, "--payload", "payload.json", "--facts", "payload.json"], 1, "payload.json:1:"),
    ],
)
def test_what_cannot_be_explained_says_why(folder: Path, words: list[str], code: int, said: str) -> None:
    """One or two sentences, and what to give instead."""
    done = _rules(*words)
    assert (done.exit_code, said in done.output) == (code, True), done.output


def test_the_schema_is_printed() -> None:
    """As it is committed."""
    assert json.loads(_rules("schema").output)["$defs"]
