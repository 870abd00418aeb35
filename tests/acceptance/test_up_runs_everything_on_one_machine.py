"""`rollbackctl up`: one command runs everything and, however it ends, takes everything down again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.installation import CLI
from testbed.programs import Program, free_port, started
from testbed.wait import until


@pytest.fixture
def config() -> Iterator[Path]:
    """Write a set of files as `init` does, in a folder short enough for a socket, on a free port."""
    with tempfile.TemporaryDirectory(prefix="rb-") as home:
        subprocess.run(
            [sys.executable, "-c", CLI, "init", home, "--yes"], check=True, capture_output=True, timeout=60
        )
        path = Path(home) / "rollback.yaml"
        path.write_text(path.read_text().replace("127.0.0.1:8095", f"127.0.0.1:{free_port()}"))
        yield path


def _ready(up: Program, config: Path) -> None:
    port = config.read_text().split("listen: 127.0.0.1:")[1].split()[0]

    def answers() -> bool:
        up.running()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)

    until(answers, within_s=30, what="the server is ready")
    until(lambda: up.running() and "supervisor.started" in up.log(), within_s=30, what="the workers are up")


def _ctl(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "ROLLBACK_CONFIG": str(config)}
    argv = [sys.executable, "-c", CLI, *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


def _pid(up: Program, word: str) -> int:
    """Find one process of the family by a word of its command line."""
    for pid in up.family():
        if word in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
            return pid
    raise AssertionError(f"no {word} among {up.family()}")


def _up(config: Path, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [sys.executable, "-c", CLI, "up", "--config", str(config)]


def test_it_remembers_what_happened_from_one_run_to_the_next(config: Path, tmp_path: Path) -> None:
    """SIGTERM ends it with 0 and leaves no process; the embedded Valkey is on disk."""
    with started("up-1", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        refused = _ctl(config, "rollback", "shop", "--all", "--wait")
        assert "refused" in refused.stdout, refused.stdout + refused.stderr
        assert up.terminate(within_s=60) == 0
    with started("up-2", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        assert "refused" in _ctl(config, "history").stdout
        looked = _ctl(config, "doctor").stdout
        assert "Valkey" in looked, "the doctor looks at the one that `up` brought"
        assert "does not answer" not in looked, looked
        assert up.terminate(within_s=60) == 0


@pytest.mark.parametrize(("part", "called"), [("server", "controller.cli serve"), ("workers", "-m workers")])
def test_when_one_part_ends_the_others_are_stopped(config: Path, tmp_path: Path, part: str, called: str) -> None:
    """Half an installation would look like a whole one; exit 1 says which part it was."""
    with started("up", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        os.kill(_pid(up, called), signal.SIGKILL)
        assert up.process.wait(timeout=60) == 1
        until(lambda: not up.family(), within_s=15, what="nothing is left running")
        assert f"The {part} ended by itself" in up.log()


def test_when_it_is_killed_its_parts_go_as_well(config: Path, tmp_path: Path) -> None:
    """The kernel tells them; a second run finds the folder free."""
    with started("up-1", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        up.kill(up.pid)
        up.process.wait(timeout=10)
        until(lambda: not up.family(), within_s=30, what="nothing is left running")
    with started("up-2", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)


def test_a_second_one_on_the_same_folder_is_refused(config: Path, tmp_path: Path) -> None:
    """Two servers on one file would be worse than none."""
    with started("up", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        second = _ctl(config, "up")
        assert second.returncode == 2
        assert "Another `rollbackctl up` runs on" in second.stderr
        up.running()


def test_nothing_is_started_with_files_that_have_errors(config: Path) -> None:
    """Each is told at its place."""
    rules = config.parent / "rules.yaml"
    rules.write_text(rules.read_text().replace("mode: observe", "mode: watch"))
    done = _ctl(config, "up")
    assert done.returncode == 2
    assert f"{rules}:5:11: `watch` is not known here" in done.stderr


def test_a_hangup_has_the_rules_read_again(config: Path, tmp_path: Path) -> None:
    """A closed terminal, or `kill -HUP`, ends nothing."""
    with started("up", _up(config, tmp_path), tmp_path) as up:
        _ready(up, config)
        before = up.family()
        with (config.parent / "rules.yaml").open("a") as rules:
            rules.write("\n# looked over\n")
        up.process.send_signal(signal.SIGHUP)
        until(lambda: up.running() and up.log().count("rules.loaded") > 0, within_s=20, what="the rules are read")
        assert set(before) <= set(up.family())
