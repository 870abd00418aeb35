"""A primary with replicas, and the Sentinels that replace it: Debian's redis-server and redis-sentinel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from testbed.parts import program
from testbed.programs import free_port, started
from testbed.redis import Redis
from testbed.wait import until

MASTER = "ledger"
DOWN_AFTER_MS = 1000


@dataclass(frozen=True, slots=True)
class Watched:
    """Servers of which one is the primary at a time, and the Sentinels' ports."""

    servers: tuple[Redis, ...]
    sentinels: tuple[int, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """What the settings say of it under `redis`."""
        return {"sentinels": [f"127.0.0.1:{port}" for port in self.sentinels], "master": MASTER}

    @property
    def primary(self) -> Redis:
        """The server that the Sentinels name now."""
        with redis.Redis(port=self.sentinels[0], decode_responses=True) as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(MASTER)
        return next(server for server in self.servers if server.port == int(port))

    def primary_other_than(self, old: Redis, *, within_s: float = 30) -> Redis:
        """Wait until another server is named, and is the primary, and return it."""

        def new() -> Redis | None:
            named = self.primary
            return named if named.port != old.port and _role(named) == "master" else None

        found = until(new, within_s=within_s, what="the Sentinels make another server the primary")
        assert found is not None
        return found


@contextlib.contextmanager
def watched(folder: Path, *, replicas: int = 1, **options: str) -> Iterator[Watched]:
    """Start one primary, its replicas and three Sentinels, which agree by two; `options` are every server's."""
    more = {key.replace("_", "-"): value for key, value in options.items()}
    with contextlib.ExitStack() as running:
        servers: list[Redis] = []
        for n in range(replicas + 1):
            place = folder / f"redis-{n}"
            place.mkdir(parents=True)
            follows = {"replicaof": f"127.0.0.1 {servers[0].port}"} if servers else {}
            server = Redis(program("redis-server"), place, {"repl-diskless-sync-delay": "0", **follows, **more})
            server.start()
            running.callback(server.stop)
            servers.append(server)
        until(lambda: _following(servers[0]) == replicas, within_s=20, what="the replicas follow the primary")
        ports = tuple(running.enter_context(_sentinel(folder, n, servers[0].port)) for n in range(3))
        found = Watched(tuple(servers), ports)
        until(lambda: all(_knows(port, replicas) for port in ports), within_s=20, what="the Sentinels know all")
        yield found


@contextlib.contextmanager
def _sentinel(folder: Path, n: int, primary: int) -> Iterator[int]:
    port, place = free_port(), folder / f"sentinel-{n}"
    place.mkdir()
    config = place / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {place}\n"
        f"sentinel monitor {MASTER} 127.0.0.1 {primary} 2\n"
        f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\n"
        f"sentinel failover-timeout {MASTER} 5000\n"
    )
    with started("sentinel", [program("redis-sentinel"), str(config)], place):
        yield port


def _following(server: Redis) -> int:
    with server.client() as client:
        info = client.info("replication")
    slaves = [info[f"slave{n}"] for n in range(int(info["connected_slaves"]))]
    return sum(slave["state"] == "online" for slave in slaves)


def _role(server: Redis) -> str:
    with server.client() as client, contextlib.suppress(redis.exceptions.RedisError):
        return str(client.role()[0])
    return ""


def _knows(port: int, replicas: int) -> bool:
    with redis.Redis(port=port, decode_responses=True) as sentinel:
        try:
            state = sentinel.sentinel_masters().get(MASTER)
        except redis.exceptions.RedisError:
            return False
    return bool(state and state["num-slaves"] >= replicas and state["num-other-sentinels"] == 2)
