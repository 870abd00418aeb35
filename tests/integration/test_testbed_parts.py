"""The testbed's servers are real, and are gone when a test ends, with everything they started."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from pathlib import Path

import pytest
from testbed.alertmanager import alertmanager, amtool_accepts, receiver_config
from testbed.programs import started
from testbed.prometheus import prometheus
from testbed.redis import debian_redis, valkey
from testbed.wait import until


@pytest.mark.parametrize("server", [valkey, debian_redis])
def test_a_killed_redis_comes_back_with_what_it_had_written(server, tmp_path: Path) -> None:
    """The append-only file outlives the process."""
    with server(tmp_path, appendfsync="always") as running:
        with running.client() as client:
            client.set("kept", "yes")
        running.kill()
        running.start()
        with running.client() as client:
            assert client.get("kept") == "yes"


def test_a_program_is_ended_with_its_children_even_those_that_left_its_session(tmp_path: Path) -> None:
    """A supervisor's children lead sessions of their own; none of them may outlive the test."""
    child = [sys.executable, "-c", "import time; time.sleep(600)"]
    parent = f"import subprocess, time; subprocess.Popen({child!r}, start_new_session=True); time.sleep(600)"
    with started("parent", [sys.executable, "-c", parent], tmp_path) as program:
        until(lambda: len(program.family()) == 2, within_s=10, what="the child runs")
        program.kill(program.pid)
        until(lambda: len(program.family()) == 1, within_s=10, what="the child has outlived its parent")
    assert program.family() == []


def test_a_killed_test_run_takes_its_programs_along(tmp_path: Path) -> None:
    """Nobody is left to tidy up, so the kernel does."""
    run = (
        "import pathlib, sys, time; from testbed.programs import started;"
        "argv = [sys.executable, '-c', 'import time; time.sleep(600)'];"
        "inner = started('inner', argv, pathlib.Path(sys.argv[1]));"
        "inner.__enter__(); print('up', flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", run, str(tmp_path)]
    with started("run", argv, tmp_path, {"PYTHONPATH": "tests"}) as outer:
        until(lambda: "up" in outer.log(), within_s=20, what="the run has started a program")
        inner = children_of(outer.pid)
        assert len(inner) == 1
        outer.kill(outer.pid)
        until(lambda: not Path(f"/proc/{inner[0]}").exists(), within_s=10, what="the program has ended too")


def children_of(pid: int) -> list[int]:
    """Return the ids of the children of a process's first thread."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_prometheus_tells_alertmanager_and_alertmanager_tells_the_webhook(tmp_path: Path) -> None:
    """A target that does not answer becomes a notification of version 4, with the credentials of the file."""
    heard: list[tuple[str, dict[str, object]]] = []

    class Webhook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.headers["Authorization"], json.loads(text)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    credentials = tmp_path / "token"
    credentials.write_text("secret")
    with http.server.HTTPServer(("127.0.0.1", 0), Webhook) as webhook:
        thread = threading.Thread(target=webhook.serve_forever)
        thread.start()
        config = receiver_config(f"http://127.0.0.1:{webhook.server_port}/", credentials)
        (tmp_path / "am.yml").write_text(config)
        amtool_accepts(tmp_path / "am.yml")
        labels = {"127.0.0.1:9": {"instance": "web1:8080", "service": "shop"}}
        with (
            alertmanager(tmp_path / "am", config) as am,
            prometheus(tmp_path / "prom", labels, am.port),
        ):
            until(lambda: heard, within_s=30, what="the webhook hears of the target that is down")
        webhook.shutdown()
        thread.join()
    authorization, body = heard[0]
    assert authorization == "Bearer secret"
    assert (body["version"], body["receiver"]) == ("4", "rollback\\.controller")
    assert body["alerts"][0]["labels"]["alertname"] == "ShopGone"
