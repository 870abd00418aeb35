"""`rollbackctl doctor` finds what is wrong with a real installation, says how to mend it, and ends with 0 or 1."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import Alertmanager, alertmanager, receiver_config
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until


@pytest.fixture
def asked() -> int:
    """Give the port of the Alertmanager that is asked."""
    return free_port()


@pytest.fixture
def installed(
    tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop, asked: int
) -> Installation:
    """Give an installation that asks an Alertmanager; nothing is started yet."""
    inventory = local_inventory(canary=canary.entry("canary"), stable=stable.entry("stable"))
    more = {
        "numbers": {"group_interval_s": 1, "relearn_every_s": 0.5, "relearn_absent_s": 1, "relearn_settled_s": 2},
        "alertmanager": {"url": f"http://127.0.0.1:{asked}", "receiver": "rollback.controller"},
    }
    return Installation(tmp_path / "installed", redis_server.url, rules(), inventory, more=more)


@pytest.fixture
def am(tmp_path: Path, installed: Installation, asked: int) -> Iterator[Alertmanager]:
    """Run that Alertmanager, with a receiver that is sent no resolves."""
    config = json.loads(receiver_config(installed.receiver, installed.token_file("alertmanager")))
    config["receivers"][0]["webhook_configs"][0]["send_resolved"] = False
    with alertmanager(tmp_path / "am", json.dumps(config), port=asked) as running:
        yield running


def test_a_machine_without_the_sealing_key_is_well(installed: Installation) -> None:
    """The settings are the same everywhere; only workers have the file, and say whether it can be used."""
    settings = json.loads(installed.settings_file.read_text())
    installed.settings_file.write_text(json.dumps({**settings, "audit": {"key-file": "audit.key"}}))
    _, said = doctor(installed)
    assert not any("audit" in what or "seal" in what for what in found(said, "wrong", "warns"))


def doctor(installed: Installation) -> tuple[int, dict[str, Any]]:
    """Run it and return its exit code and what it says."""
    with installed.cli("doctor", "--json") as command:
        code = command.process.wait(timeout=90)
        said: dict[str, Any] = json.loads(command.log())
    command.log_file.unlink()
    return code, said


def found(said: dict[str, Any], *levels: str) -> list[str]:
    """Return what was found on these levels; each that is not well has its fix."""
    every = [finding for section in said["sections"] for finding in section["findings"]]
    assert all(finding["fix"] for finding in every if finding["level"] != "well"), every
    return [finding["what"] for finding in every if finding["level"] in levels]


def says(findings: list[str], *words: str) -> None:
    """Check that each of these is in some finding."""
    for word in words:
        assert any(word in finding for finding in findings), (word, findings)


def test_what_works_and_what_does_not(installed: Installation, am: Alertmanager, canary: LocalShop) -> None:
    """First nothing but a wrong setting in Alertmanager, then more and more."""
    with installed.running():
        until(lambda: installed.ask("/metrics").text.count("relearned_age_seconds "), within_s=20, what="asked")
        code, said = doctor(installed)
        assert (code, said["well"]) == (1, False)
        (one,) = found(said, "wrong")
        assert one.startswith("The receiver rollback.controller has `send_resolved: false`")
        says(
            found(said, "well"),
            "1 rule, 2 services, 2 instances on hosts",
            "is admitted",
            "A test alert (resolved, so that no rule looks at it) was taken and is remembered.",
            "1 worker machine at work",
            "of 2 instances on hosts can be looked at",
            "Alertmanager 0.",
        )
        assert installed.rollbacks() == [], "the test alert started nothing"

        shutil.rmtree(canary.releases)
        am.server.kill()
        (installed.folder / "rules.yaml").write_text("version: rules/v1\nrules: [{name: x}]\n")
        code, said = doctor(installed)
        assert code == 1
        says(found(said, "wrong"), "`when` is missing", "cannot be reached (Connection refused)", "is not there")


def test_without_server_and_workers(installed: Installation) -> None:
    """Each is missed by its name; what is sound is not."""
    code, said = doctor(installed)
    assert code == 1
    says(found(said, "wrong"), "does not answer", "No worker was heard of", "were not looked at")
    says(found(said, "well"), "1 rule", "Valkey")


def test_without_redis(installed: Installation, redis_server: Redis) -> None:
    """Nothing else waits for it."""
    redis_server.stop()
    code, said = doctor(installed)
    assert code == 1
    says(found(said, "wrong"), "Redis does not answer as it should")


def test_without_settings_that_can_be_used(installed: Installation) -> None:
    """Then there is nothing else to look at."""
    settings = json.loads(installed.settings_file.read_text())
    installed.settings_file.write_text(json.dumps({**settings, "numbers": {"relearn_every_s": 90}, "listn": "x"}))
    code, said = doctor(installed)
    assert code == 1
    assert [section["title"] for section in said["sections"]] == ["Settings"]
    says(found(said, "wrong"), "listn")
