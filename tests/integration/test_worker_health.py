"""`worker-listen` says over HTTP whether the workers of a machine are well; without it nothing listens."""

from __future__ import annotations

import contextlib
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from testbed.installation import Installation
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until

RULES = "version: rules/v1\nrules: []\n"
INVENTORY = "version: inventory/v1\nconnection: local\nservices: {}\n"


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def test_the_workers_say_whether_they_are_well(redis_server: Redis, tmp_path: Path) -> None:
    """In the words of both families; a process that ends is started anew, and it itself ends with the rest."""
    port = free_port()
    more = {"worker_listen": f"127.0.0.1:{port}"}
    house = Installation(tmp_path, redis_server.url, RULES, INVENTORY, more=more)
    with house.working() as worker:
        until(lambda: _status(port, "/readyz") == 200, within_s=10, what="the machine is ready")
        for path in ("/livez", "/-/healthy", "/-/ready", "/readyz?verbose"):
            assert _status(port, path) == 200
        assert _status(port, "/metrics") == 404
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        _status(port, "/livez")


def test_it_says_so_while_the_last_step_is_under_way(redis_server: Redis, tmp_path: Path) -> None:
    """Alive, or who still looks would kill it in the middle; not ready, for it takes nothing on."""
    port = free_port()
    house = Installation(tmp_path, redis_server.url, RULES, INVENTORY, more={"worker_listen": f"127.0.0.1:{port}"})
    with house.working() as worker:
        until(lambda: _status(port, "/readyz") == 200, within_s=10, what="the machine is ready")
        supervisor = worker.process.pid
        last = int(_children(supervisor)[-1])
        os.kill(last, signal.SIGSTOP)
        try:
            worker.process.send_signal(signal.SIGTERM)
            until(lambda: _status(port, "/readyz") == 503, within_s=10, what="it is not ready any more")
            until(
                lambda: len(_children(supervisor)) == 2, within_s=20, what="two are left, it and the last worker"
            )
            assert _status(port, "/livez") == 200
        finally:
            os.kill(last, signal.SIGCONT)
        assert worker.process.wait(30) == 0


def _children(pid: int) -> list[str]:
    """Name the children of a process that still run; one that nobody has buried yet does not."""
    running = []
    for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):  # buried a moment ago
            if Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.append(one)
    return running
