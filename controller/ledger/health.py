"""What is wrong with the Redis we were given, said before it hurts."""

from __future__ import annotations

from collections.abc import Iterator

from controller.ledger.connection import Client, translated
from controller.ledger.keys import WORKERS

_OLDEST = (6, 2)
_WORKER_SILENT_S = 30


class Health:
    """Looks at Redis and at who works on it."""

    def __init__(self, connection: Client) -> None:
        self._client = connection

    def ping(self) -> None:
        """Raise `LedgerUnavailable` unless Redis answers."""
        with translated():
            self._client.ping()

    def complaints(self) -> tuple[str, ...]:
        """Say what about this Redis puts promises at risk, each with what to set; nothing when all is well."""
        with translated():
            info = self._client.info("all")
            seconds = int(self._client.time()[0])
            heard = {name: int(at) for name, at in self._client.hgetall(WORKERS).items()}
        return (*_about(info), *_about_workers(heard, seconds))

    def worker_heard(self, name: str) -> None:
        """Note that the reconciler of one worker machine is alive."""
        with translated():
            self._client.hset(WORKERS, name, int(self._client.time()[0]))

    def worker_left(self, name: str) -> None:
        """Note that a worker machine left in good order."""
        with translated():
            self._client.hdel(WORKERS, name)


def _about(info: dict[str, object]) -> Iterator[str]:
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        yield f"Redis {version} is too old: use Redis 6.2 or later, or Valkey."
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield (
            f"maxmemory-policy is {policy}: Redis may drop claims, effects and queued work when memory is "
            "short. Set maxmemory-policy to noeviction."
        )
    if not info.get("aof_enabled"):
        yield (
            "append-only persistence is off: a restart of Redis forgets what was accepted. "
            "Set appendonly yes (and appendfsync everysec, or always)."
        )
    elif info.get("aof_last_write_status", "ok") != "ok":
        yield "the last write of the append-only file failed: look at the disk of Redis."
    if info.get("role", "master") != "master":
        yield "this Redis is a replica: point redis.url at the primary."


def _about_workers(heard: dict[str, int], now_s: int) -> Iterator[str]:
    if not any(now_s - at <= _WORKER_SILENT_S for at in heard.values()):
        yield (
            f"no worker was heard of for {_WORKER_SILENT_S} s: accepted alerts wait. "
            "Start `rollbackctl worker`, or look at its log."
        )
