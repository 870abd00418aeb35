"""Whichever process is killed in the middle of a rollback, it goes on within 15 s; nothing is changed twice."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, local_shops, rules
from testbed.programs import Program
from testbed.redis import Redis, valkey
from testbed.wait import until

GOES_ON_WITHIN_S = 15
KILLED: Mapping[str, tuple[str, ...]] = {
    "shop1": ("the receiver",),
    "shop2": ("the supervisor",),
    "shop3": ("the worker's parent",),
    "shop4": ("the job's own process",),
    "shop5": ("the reconciler",),
    "shop6": ("the worker's parent", "the job's own process"),
    "shop7": ("the reconciler", "the job's own process", "the server"),
}
"""By shop, who is killed while it is restarted."""


@dataclass(slots=True)
class Running:
    """One installation with the usual numbers: a server, and two worker machines with two workers each."""

    installed: Installation
    redis: Redis
    shops: Mapping[str, LocalShop]
    programs: contextlib.ExitStack
    servers: list[Program] = field(default_factory=list)
    machines: list[Program] = field(default_factory=list)

    def complete(self) -> None:
        """Start what is missing, as a service manager does."""
        if not any(server.process.poll() is None for server in self.servers):
            self.servers.append(self.programs.enter_context(self.installed.serving()))
        while len([machine for machine in self.machines if machine.process.poll() is None]) < 2:
            name = f"worker{len(self.machines) + 1}"
            self.machines.append(self.programs.enter_context(self.installed.working(name)))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run it with a shop for each case; their restarts wait until they are let go."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "redis").mkdir()
    with (
        local_shops(folder, *KILLED) as shops,
        valkey(folder / "redis", appendfsync="always") as redis,
        contextlib.ExitStack() as programs,
    ):
        entries = {name: shop.entry("canary", restart=_restart(shop)) for name, shop in shops.items()}
        more = {"numbers": {"group_interval_s": 1}}
        installed = Installation(folder / "installed", redis.url, rules(), local_inventory(**entries), more=more)
        yield Running(installed, redis, shops, programs)


def _restart(shop: LocalShop) -> dict[str, list[str]]:
    argv = ["sh", "-c", BLOCKING_RESTART, "sh", str(shop.folder), str(shop.current), str(shop.restarts_file)]
    return {"command": argv}


@dataclass(frozen=True, slots=True)
class Middle:
    """A rollback that has switched its link and is held in its restart, and who works on it."""

    running: Running
    shop: LocalShop
    machine: Program
    job: int

    def pids(self, who: str) -> list[int]:
        """Return the processes that a name stands for."""
        worker, server = _parent(self.job), self.running.servers[-1]
        match who:
            case "the receiver":
                return [pid for pid in server.family() if pid != server.pid]
            case "the server":
                return server.family()
            case "the supervisor":
                return [self.machine.pid]
            case "the worker's parent":
                return [worker]
            case "the job's own process":
                return [self.job]
            case "the reconciler":  # and whatever else the machine keeps beside its workers
                kept = [pid for pid in self.machine.family() if _parent(pid) == self.machine.pid]
                return [pid for pid in kept if pid not in self._workers()]
            case _:
                raise LookupError(who)

    def _workers(self) -> set[int]:
        with self.running.redis.client() as client:
            return {int(client.hget(f"rq:worker:{name}", "pid") or 0) for name in _names(client)}

    def rollback(self) -> dict[str, Any]:
        """Return the one rollback of the shop, with its journal."""
        (one,) = (r for r in self.running.installed.rollbacks() if r["service"] == self.shop.name)
        return self.running.installed.rollback(one["id"])

    def journal(self) -> list[dict[str, Any]]:
        """Return what is written down by now; nothing while nobody answers."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            found: list[dict[str, Any]] = self.rollback()["journal"]
            return found
        return []

    def hears(self, status: str) -> bool:
        """Whether an alert about the shop was taken."""
        said = body(alert(self.shop.labels(), status=status))
        return self.running.installed.notify(said).status in (200, 202)


def in_the_middle(running: Running, name: str) -> Middle:
    """Have an alert fire, and wait until the restart that it leads to has begun."""
    running.complete()
    shop = running.shops[name]
    restarting = shop.folder / "restarting"
    assert running.installed.notify(body(alert(shop.labels()))).status == 202
    until(lambda: restarting.exists() and restarting.read_text(), within_s=30, what="the restart has begun")
    job = _job_of(int(restarting.read_text()))
    return Middle(running, shop, next(machine for machine in running.machines if job in machine.family()), job)


@pytest.mark.parametrize("name", KILLED, ids=lambda name: " and ".join(KILLED[name]))
def test_it_goes_on_within_15_s_and_nothing_is_changed_twice(running: Running, name: str) -> None:
    """It finds the link switched, and switches nothing; a step whose end nobody saw is looked at first."""
    middle, killed = in_the_middle(running, name), KILLED[name]
    shop, died = middle.shop, "the job's own process" in killed
    switched, known = os.lstat(shop.current), len(middle.journal())
    assert shop.running() == "v1.2.0"
    for pid in [pid for who in killed for pid in middle.pids(who)]:
        with contextlib.suppress(ProcessLookupError):  # one's end may have taken another along
            os.kill(pid, signal.SIGKILL)
    if died:  # as a machine that dies takes its children along
        os.kill(int((shop.folder / "restarting").read_text()), signal.SIGKILL)
    (shop.folder / "go").touch()
    if "the server" in killed:
        running.servers[-1].process.wait(timeout=10)
        running.complete()

    until(lambda: len(middle.journal()) > known, within_s=GOES_ON_WITHIN_S, what="it goes on")
    until(lambda: _seen_healthy(middle.journal()), within_s=60, what="the shop is seen healthy")
    until(lambda: middle.hears("resolved"), within_s=20, what="the resolve is heard")
    until(lambda: middle.rollback()["state"] == "ended", within_s=60, what="it ends")

    rollback = middle.rollback()
    assert (rollback["outcome"], rollback["to"]) == ("recovered", "v1.2.0")
    now = os.lstat(shop.current)
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"
    kinds = [(entry["kind"], entry.get("step_kind")) for entry in rollback["journal"]]
    assert kinds.count(("done", "switch")) == 1
    assert shop.restarts() == 1
    assert (("taken-over", None) in kinds[known:]) is died


def _names(client: Any) -> list[str]:
    return [name.removeprefix("rq:worker:") for name in client.smembers("rq:workers")]


def _seen_healthy(journal: list[dict[str, Any]]) -> bool:
    return any(entry["kind"] == "done" and entry["step_kind"] == "health" for entry in journal)


def _job_of(shell: int) -> int:
    """Return the job's process: it started the script that started the restart's shell."""
    pid = shell
    while b"workers" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        pid = _parent(pid)
    return pid


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on: state, parent, and so forth."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
