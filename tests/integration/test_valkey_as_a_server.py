"""`rollbackctl valkey` is a Redis as the product wants one: with a password, and it keeps what it is given."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from testbed.programs import REPOSITORY, free_port
from testbed.wait import until

PASSWORD = 'with "quotes", a \\ and €'


@contextmanager
def _server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "controller.cli", "valkey", "--port", str(port), "--maxmemory", "64mb"]
    argv += ["--data-dir", str(folder / "data"), "--password-file", str(folder / "password")]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, cwd=REPOSITORY, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _client(port: int, password: str | None = PASSWORD) -> redis.Redis:
    return redis.Redis(port=port, password=password, decode_responses=True, socket_timeout=2)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return tmp_path


def test_it_keeps_what_it_is_given_and_shows_nobody_its_password(folder: Path) -> None:
    """Over a SIGTERM, which it obeys as the same process; neither arguments nor data hold the password."""
    port = free_port()
    with _server(folder, port) as process, _client(port) as client:
        until(lambda: _answers(client), within_s=20, what="Valkey")
        client.set("kept", "yes")
        assert client.config_get("appendonly", "maxmemory-policy", "save", "maxmemory") == {
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "save": "",
            "maxmemory": str(64 * 2**20),
        }
        with pytest.raises(redis.AuthenticationError), _client(port, None) as stranger:
            stranger.get("kept")
        assert PASSWORD.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.terminate()
        assert process.wait(20) == 0
    held = [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert held == [folder / "password"]
    with _server(folder, port), _client(port) as client:
        until(lambda: _answers(client), within_s=20, what="Valkey again")
        assert client.get("kept") == "yes"


@pytest.mark.parametrize("lost", [0, 17])
def test_a_power_loss_does_not_keep_it_from_starting(folder: Path, lost: int) -> None:
    """The end of its file may be missing, be zeros, or both: all before it is there, and it is written on."""
    port = free_port()
    with _server(folder, port) as process, _client(port) as client:
        until(lambda: _answers(client), within_s=20, what="Valkey")
        for name in ("first", "last"):
            client.set(name, "yes\0\0")
        process.terminate()  # a kill may come before it has written
        process.wait(20)
    (written,) = folder.glob("data/appendonlydir/*.incr.aof")
    content = written.read_bytes()
    written.write_bytes(content[: len(content) - lost] + bytes(100_000))
    with _server(folder, port) as process, _client(port) as client:
        until(lambda: _answers(client), within_s=20, what="Valkey after a power loss")
        assert client.mget("first", "last") == ["yes\0\0", None if lost else "yes\0\0"]
        client.set("after", "yes")
        process.terminate()
        process.wait(20)
    assert "100000 zeros were cut off its end" in (folder / "log").read_text()
    with _server(folder, port), _client(port) as client:
        until(lambda: _answers(client), within_s=20, what="Valkey again")
        assert client.get("after") == "yes"


def test_it_says_what_it_lacks(folder: Path) -> None:
    """A password, and a folder that it may write."""
    (folder / "password").write_text("")
    for data, sentence in (("data", "is empty. Write the secret into it"), ("nowhere", "is no folder")):
        argv = [sys.executable, "-m", "controller.cli", "valkey", "--data-dir", str(folder / data)]
        argv += ["--password-file", str(folder / "password")]
        done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 2
        assert sentence in done.stderr
        (folder / "password").write_text(PASSWORD)
