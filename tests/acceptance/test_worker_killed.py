"""A worker that is killed in the middle is followed by another, which finishes what was begun, once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, rules
from testbed.redis import Redis
from testbed.wait import until


@pytest.fixture
def installed(tmp_path: Path, redis_server: Redis, canary: LocalShop) -> Installation:
    """Give an installation whose canary restarts only when the test lets it."""
    argv = ["sh", "-c", BLOCKING_RESTART, "sh", str(tmp_path), str(canary.current), str(canary.restarts_file)]
    inventory = local_inventory(canary=canary.entry("canary", restart={"command": argv}))
    return Installation(
        tmp_path / "installed", redis_server.url, rules(), inventory, more={"numbers": {"group_interval_s": 1}}
    )


def test_killed_between_the_switch_and_the_restart(
    tmp_path: Path, installed: Installation, canary: LocalShop
) -> None:
    """All processes of the first machine die at once; the second picks the rollback up within 15 s.

    It finds the link switched and switches nothing: there is one commit, one switch, and the old release runs.
    """
    labels = canary.labels()
    with installed.serving(), installed.working("first") as first:
        installed.notify(body(alert(labels)))
        until((tmp_path / "restarting").exists, within_s=20, what="the restart has begun")
        assert canary.running() == "v1.2.0"
        switched = os.lstat(canary.current)
        first.kill()
        end_blocked_restart(tmp_path)
        (tmp_path / "go").touch()

        with installed.working("second"):
            until(lambda: canary.restarts() > 0, within_s=15, what="the second machine restarts the canary")
            installed.notify(body(alert(labels, status="resolved")))
            (rollback,) = installed.ended(within_s=60)
            journal = installed.rollback(rollback["id"])["journal"]

    assert (rollback["outcome"], rollback["to"]) == ("recovered", "v1.2.0")
    now = os.lstat(canary.current)
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"
    assert canary.running() == "v1.2.0"
    assert journal, "what was done is written down"


def end_blocked_restart(folder: Path) -> None:
    """End the restart that the dead worker left waiting, as a machine that dies takes its children along."""
    pid = (folder / "restarting").read_text().strip()
    assert re.fullmatch(r"\d+", pid)
    until(lambda: ended(int(pid)), within_s=10, what="the blocked restart has ended")


def ended(pid: int) -> bool:
    """Kill the restart's shell, if it still is that shell; true once it is gone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"restarting" not in words:
            return True
        os.kill(pid, 9)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return False
