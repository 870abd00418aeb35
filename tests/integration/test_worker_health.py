"""`worker-listen` says over HTTP whether the workers of a machine are well; without it nothing listens."""

from __future__ import annotations

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
