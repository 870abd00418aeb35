"""The commands that speak to the server: what they print, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body
from testbed.installation import CLI, Installation
from testbed.local_shops import LocalShop


def run(local: Installation, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    env = {**os.environ, "ROLLBACK_CONFIG": str(local.settings_file), **variables}
    argv = [sys.executable, "-c", CLI, *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def running(local: Installation) -> Iterator[Installation]:
    """Run the server and workers."""
    with local.running():
        yield local


def test_a_person_rolls_an_instance_back_and_reads_how_it_went(
    running: Installation, canary: LocalShop, stable: LocalShop
) -> None:
    """Dry run, the job itself, and every view of it afterwards."""
    planned = run(running, "rollback", "canary", "--all", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "v1.3.0 → v1.2.0" in planned.stdout
    assert planned.stdout.count("way back: ") == 2
    assert canary.running() == "v1.3.0"

    done = run(running, "rollback", "canary", "--all", "--wait", "--reason", "errors \x1b[31msince noon")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All recovered." in done.stdout
    assert (canary.running(), stable.running()) == ("v1.2.0", "v1.3.0")

    (ident,) = [record["id"] for record in json.loads(run(running, "history", "--json").stdout)["rollbacks"]]
    shown = run(running, "show", ident).stdout
    for words in (
        "v1.3.0 → v1.2.0",
        "recovered",
        r"operator, by hand: errors \x1b[31msince noon",
        "Journal",
        "Nothing.",
    ):
        assert words in shown
    assert "\x1b" not in shown
    assert ident in run(running, "history").stdout
    status = run(running, "status").stdout
    assert "1 recovered" in status
    assert ident in status


def test_a_rollback_that_cannot_be_says_why_and_exits_with_1(running: Installation, canary: LocalShop) -> None:
    """Nothing is changed."""
    for words in (["--dry-run"], ["--wait"]):
        refused = run(running, "rollback", "canary", "--all", "--to", "v9.9.9", *words)
        assert refused.returncode == 1
        assert "v9.9.9" in refused.stdout
    assert canary.running() == "v1.3.0"
    late = run(running, "cancel", json.loads(run(running, "history", "--json").stdout)["rollbacks"][0]["id"])
    assert (late.returncode, "too late" in late.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["rollback", "canary"], 2, "Say which instances"),
        (["rollback", "canary", "--only", "track"], 2, "is not LABEL=VALUE"),
        (["rollback", "nope", "--all"], 1, "the inventory has no service 'nope'"),
        (["rollback", "canary", "--instance", "nope"], 1, "has no instance 'nope'"),
        (["rollback", "canary", "--only", "track=nope"], 1, "no host of canary carries these labels"),
        (["show", "../status"], 1, "there is no rollback '../status'"),
        (["cancel", "nope"], 1, "there is no rollback 'nope'"),
        (["history", "--state", "nope"], 1, "state 'nope' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    running: Installation, words: list[str], code: int, said: str
) -> None:
    """On standard error; standard output stays empty."""
    done = run(running, *words)
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    assert said in done.stderr


def test_whoever_is_not_admitted_is_told_how_to_be(running: Installation) -> None:
    """A wrong token, and one without the role."""
    wrong = run(running, "status", ROLLBACK_TOKEN="nonsense")
    assert wrong.returncode == 4
    assert "The variable ROLLBACK_TOKEN holds our token, and wins" in wrong.stderr
    reader = run(running, "rollback", "canary", "--all", ROLLBACK_TOKEN_FILE=str(running.token_file("reader")))
    assert reader.returncode == 4
    assert f"Our token is that of {running.token_file('reader')}" in reader.stderr


def test_a_server_that_is_not_there_is_3(local: Installation) -> None:
    """Whatever the command."""
    done = run(local, "status")
    assert done.returncode == 3
    assert "Start it with `rollbackctl up` or `rollbackctl serve`" in done.stderr


def test_a_rollback_that_waits_can_be_cancelled(local: Installation, canary: LocalShop) -> None:
    """Without workers nothing begins: it is opened, cancelled, and stays so when they come."""
    with local.serving():
        opened = json.loads(run(local, "rollback", "canary", "--all", "--json").stdout)["rollbacks"][0]["id"]
        again = run(local, "rollback", "canary", "--all")
        assert f"{opened}  canary on " in again.stdout
        assert "which this joins" in again.stdout
        waited = run(local, "rollback", "canary", "--all", "--wait", "--timeout", "1")
        assert waited.returncode == 5
        assert run(local, "cancel", opened, "--reason", "not today").returncode == 0
        with local.working():
            (record,) = local.ended()
            assert (record["outcome"], "not today" in record["detail"]) == ("cancelled", True)
    assert canary.running() == "v1.3.0"


def test_live_explanation_names_the_release_or_what_stands_in_the_way(
    running: Installation, canary: LocalShop, tmp_path: Path
) -> None:
    """The running controller looks; nothing is changed."""
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps(body(alert(canary.labels()))))

    def explained() -> dict[str, object]:
        done = run(running, "rules", "explain", "--payload", str(payload), "--live", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout)["alerts"][0]["decisions"][0]
        return found

    before = explained()
    assert (before["outcome"], list(before["instances"].values())) == ("roll-back", ["v1.2.0"])  # type: ignore[attr-defined]
    canary.current.unlink()
    after = explained()
    assert after["outcome"] in {"refuse", "hold"}
    assert after["detail"]


def test_who_joins_a_rollback_that_goes_elsewhere_is_told(local: Installation) -> None:
    """A rollback goes where it was opened to go; the command that asked for another place fails."""
    with local.serving():
        first = run(local, "rollback", "canary", "--all")
        assert first.returncode == 0, first.stderr
        again = run(local, "rollback", "canary", "--all")
        assert (again.returncode, "which this joins" in again.stdout) == (0, True)
        other = run(local, "rollback", "canary", "--all", "--to", "v1.1.0")
    assert other.returncode == 1
    assert "operator, by hand already takes it back, to previous (planned)" in other.stderr
    assert "Nothing of yours was added" in other.stderr


def test_a_service_that_nobody_knows_is_said_to_be_unknown(local: Installation) -> None:
    """A misspelt name must not look like a quiet service."""
    with local.serving():
        assert "Nothing is known of a service 'cnary'" in run(local, "history", "--service", "cnary").stdout
        assert "No rollbacks." in run(local, "history", "--service", "canary").stdout
