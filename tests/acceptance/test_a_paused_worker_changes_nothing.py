"""A worker that is paused past its lease, at the worst moments, and wakes when another has done its work.

It was stopped right after it asked its lease for the last time, all threads of it. What it still does when it goes
on meets the fence that the other has left on the host: from outside, nothing changes any more.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, rules
from testbed.loopback_sshd import start_sshd
from testbed.paused import SHORT, Paused, stops_at
from testbed.redis import Redis
from testbed.wait import until


@contextlib.contextmanager
def reached(way: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Say in an inventory how the host is reached: by commands on this machine, or by SSH over loopback."""
    if way == "local":
        yield {"connection": "local"}
        return
    folder.mkdir()
    with start_sshd(folder) as sshd:
        known = {"key-file": sshd.ssh.key_file, "known-hosts": sshd.ssh.known_hosts, "port": sshd.ssh.port}
        yield {"ssh": {"user": getpass.getuser(), **known}}


def installation(folder: Path, redis: Redis, canary: LocalShop, way: dict[str, Any], **over: Any) -> Installation:
    """Return an installation with leases of three seconds."""
    inventory = {
        **json.loads(local_inventory(canary=canary.entry("canary", **over))),
        "connection": None,
        **way,
    }
    kept = json.dumps({name: value for name, value in inventory.items() if value is not None})
    return Installation(folder / "installed", redis.url, rules(), kept, more={"numbers": SHORT})


def effects(canary: LocalShop) -> tuple[str, int, int, int, str]:
    """Return what can be seen of the host from outside: the link and when it was made, restarts, the fence."""
    link = os.lstat(canary.current)
    fence = (canary.folder / ".rollback/fence").read_text().strip()
    return canary.running(), link.st_ino, link.st_mtime_ns, canary.restarts(), fence


def done(journal: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the entries that say that a step was done."""
    return [e for e in journal if e["kind"] == "done" and e["step_kind"] == kind]


def taken_over(installed: Installation) -> bool:
    """Whether another worker has noted that it carries on."""
    journals = [installed.rollback(r["id"])["journal"] for r in installed.rollbacks()]
    return any(entry["kind"] == "taken-over" for journal in journals for entry in journal)


@pytest.mark.parametrize(
    ("way", "point", "switched_by"),
    [
        ("local", "switch.before", "the second"),
        ("local", "switch.after", "the first"),
        ("ssh", "switch.before", "the second"),
        ("ssh", "restart.before", "the first"),
    ],
)
def test_paused_around_a_change(
    tmp_path: Path, redis_server: Redis, canary: LocalShop, way: str, point: str, switched_by: str
) -> None:
    """The link is switched once and the unit restarted once, whoever wakes; the fence is the second's."""
    with (
        reached(way, tmp_path / "sshd") as reach,
        contextlib.closing(_Run(installation(tmp_path, redis_server, canary, reach), canary)) as run,
    ):
        paused = run.first_pauses_at(point, tmp_path)
        before = os.lstat(canary.current)
        run.second_carries_on()
        after = effects(canary)
        assert (after[1] == before.st_ino) == (switched_by == "the first")
        paused.resume()
        paused.says_that_it_lost()
        (rollback,) = run.ends()
        journal = run.installed.rollback(rollback["id"])["journal"]

        assert effects(canary) == after
        assert (rollback["outcome"], canary.running(), canary.restarts()) == ("recovered", "v1.2.0", 1)
    first, last = journal[0]["fence"], journal[-1]["fence"]
    assert first < last == int(after[4].split()[0])
    assert [len(done(journal, kind)) for kind in ("switch", "restart", "health")] == [1, 1, 1]
    assert {entry["fence"] for kind in ("restart", "health") for entry in done(journal, kind)} == {last}


def test_paused_in_the_middle_of_a_restart(tmp_path: Path, redis_server: Redis, canary: LocalShop) -> None:
    """What runs on the host runs on without the worker; the second restarts once more, the first no more."""
    argv = ["sh", "-c", BLOCKING_RESTART, "sh", str(tmp_path), str(canary.current), str(canary.restarts_file)]
    installed = installation(tmp_path, redis_server, canary, {"connection": "local"}, restart={"command": argv})
    with contextlib.closing(_Run(installed, canary)) as run:
        run.first_begins()
        until((tmp_path / "restarting").exists, within_s=20, what="the restart has begun")
        switched = os.lstat(canary.current)
        paused = Paused.of(run.first)
        run.second_begins()
        until(lambda: taken_over(installed), within_s=20, what="the second takes over")
        (tmp_path / "go").touch()
        run.second_has_changed_it()
        after = effects(canary)
        paused.resume()
        paused.says_that_it_lost()
        (rollback,) = run.ends()
        journal = installed.rollback(rollback["id"])["journal"]

        assert effects(canary) == after
    assert after[1:4] == (switched.st_ino, switched.st_mtime_ns, 2)
    assert [len(done(journal, kind)) for kind in ("switch", "restart", "health")] == [1, 1, 1]


class _Run:
    """The server and two machines, each started when its turn comes."""

    def __init__(self, installed: Installation, canary: LocalShop) -> None:
        self.installed = installed
        self._labels = canary.labels()
        self._running = contextlib.ExitStack()
        self._running.enter_context(installed.serving())

    def close(self) -> None:
        """End all of it."""
        self._running.close()

    def first_begins(self, *module: str) -> None:
        """Start the first machine and have it roll back."""
        self.first = self._running.enter_context(self.installed.working("first", module=module or ("workers",)))
        assert self.installed.notify(body(alert(self._labels))).status == 202

    def first_pauses_at(self, point: str, folder: Path) -> Paused:
        """Start the first machine, and wait until it stands still at a point."""
        self.first_begins(*stops_at(point, folder))
        return Paused.by_itself(self.first, folder)

    def second_begins(self) -> None:
        """Start the second machine."""
        self._running.enter_context(self.installed.working("second"))

    def second_carries_on(self) -> None:
        """Start it, and wait until it has done everything."""
        self.second_begins()
        self.second_has_changed_it()

    def second_has_changed_it(self) -> None:
        """Wait until the rollback is verified: every step is done."""
        until(
            lambda: [r["state"] for r in self.installed.rollbacks()] == ["verifying"],
            within_s=30,
            what="the second machine has done every step",
        )

    def ends(self) -> list[dict[str, Any]]:
        """Have the alert resolve, and return the rollback that ended."""
        self.installed.notify(body(alert(self._labels, status="resolved")))
        return self.installed.ended()
