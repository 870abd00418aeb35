"""A person's hand on a running installation: taken back, paused, locked; and why tells of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from testbed.installation import CLI, Installation
from testbed.local_shops import LocalShop
from testbed.wait import until


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


def test_what_a_person_takes_back_runs_again(running: Installation, canary: LocalShop) -> None:
    """Back to the release that a rollback left, though it was just left and the cooldown runs; once."""
    done = run(running, "rollback", "canary", "--all", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    (first,) = [record["id"] for record in json.loads(run(running, "history", "--json").stdout)["rollbacks"]]
    undone = run(running, "undo", first, "--reason", "it was fine")
    assert undone.returncode == 0, undone.stderr
    until(lambda: canary.running() == "v1.3.0", within_s=30, what="the release that was left runs again")
    second = undone.stdout.split()[0]
    told = run(running, "why", second).stdout
    assert f"operator, by hand: undoes {first}: it was fine" in told
    assert "cooldown" in told
    assert f"undoes {first}" in run(running, "show", second).stdout


def test_an_undo_leaves_alone_what_somebody_deployed_since(running: Installation, canary: LocalShop) -> None:
    """It expects what the rollback left there; something else is a newer word."""
    assert run(running, "rollback", "canary", "--all", "--wait").returncode == 0
    (first,) = [record["id"] for record in json.loads(run(running, "history", "--json").stdout)["rollbacks"]]
    canary.deploy("v1.3.0")
    refused = run(running, "undo", first, "--wait", "--timeout", "60")
    assert refused.returncode == 1, refused.stdout
    assert "v1.3.0" in refused.stdout
    assert canary.restarts_file.read_text().count("v1.2.0") == 1


def test_what_is_deployed_is_not_rolled_back_by_hand_either(running: Installation, canary: LocalShop) -> None:
    """The refusal names the guard; by that name a person sets it aside."""
    env = {**os.environ, "ROLLBACK_CONFIG": str(running.settings_file)}
    words = [sys.executable, "-c", CLI, "lock", "canary", "--", "sh", "-c", "read line"]
    deploying = subprocess.Popen(words, env=env, stdin=subprocess.PIPE, text=True)
    try:
        until(lambda: "locked: canary" in run(running, "status").stdout, within_s=30, what="the service is locked")
        refused = run(running, "rollback", "canary", "--all", "--wait", "--timeout", "60")
        assert refused.returncode == 1
        (record,) = json.loads(run(running, "history", "--json").stdout)["rollbacks"]
        assert (record["outcome"], record["reason"]) == ("refused", "deploy-locked")
        assert "--override deploy-locked" in record["detail"]
        assert canary.running() == "v1.3.0"
        forced = run(running, "rollback", "canary", "--all", "--override", "deploy-locked", "--wait")
        assert forced.returncode == 0, forced.stdout + forced.stderr
        assert canary.running() == "v1.2.0"
    finally:
        deploying.communicate("done\n", timeout=60)
    assert deploying.returncode == 0
