"""What is wrong with the Redis we were given, said before it hurts."""

from __future__ import annotations

from collections.abc import Iterator

from controller.ledger.connection import Client, translated
from controller.ledger.keys import DUE, ORPHANS, WORKERS, key
from controller.ledger.newer import complaints

_OLDEST = (6, 2)
_WORKER_SILENT_S = 30
_WORKER_FORGOTTEN_S = 86_400
_SILENCE = (
    f"no worker was heard of for {_WORKER_SILENT_S} s: accepted alerts wait. "
    "Start `rollbackctl worker`, or look at its log."
)


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
            return tuple(_about(self._client.info("all")))

    def silence(self) -> tuple[str, ...]:
        """Say whether nobody works; also for a short time while the first worker starts."""
        with translated():
            seconds = int(self._client.time()[0])
            heard = self._client.zcount(WORKERS, seconds - _WORKER_SILENT_S, "+inf")
        return () if heard else (_SILENCE,)

    def left_alone(self) -> tuple[str, ...]:
        """Say which rollbacks workers leave alone because a newer version wrote them."""
        return complaints(self._client)

    def orphans(self) -> int:
        """Return how many unfinished rollbacks without an entry in `due` were woken since this ledger began."""
        with translated():
            return int(self._client.hget(ORPHANS, "woken") or 0)

    def clock_s(self) -> float:
        """Return the time of Redis, in seconds since the epoch."""
        with translated():
            seconds, micros = self._client.time()
        return int(seconds) + int(micros) / 1_000_000

    def server(self) -> str:
        """Name the server and its version."""
        with translated():
            info = self._client.info("server")
        valkey = info.get("valkey_version")
        return f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version', '?')}"

    def machines(self) -> dict[str, float]:
        """Return the worker machines heard of within a day, and how many seconds ago each was."""
        with translated():
            seconds = int(self._client.time()[0])
            heard = self._client.zrange(WORKERS, 0, -1, withscores=True)
        return {name: max(0.0, seconds - at) for name, at in heard}

    def overdue(self, for_s: float, most: int = 20) -> dict[str, float]:
        """Return ids that have been due for longer than that and nobody moved on, with the seconds they have."""
        now_ms = self.clock_s() * 1000
        with translated():
            found = self._client.zrangebyscore(
                DUE, "-inf", now_ms - for_s * 1000, start=0, num=most, withscores=True
            )
        return {ident: (now_ms - at) / 1000 for ident, at in found}

    def remembers(self, fingerprint: str) -> bool:
        """Whether anything was heard of an alert."""
        with translated():
            return bool(self._client.exists(key("episode", fingerprint)))

    def worker_heard(self, name: str) -> None:
        """Note that the reconciler of one worker machine is alive."""
        with translated():
            seconds = int(self._client.time()[0])
            with self._client.pipeline(transaction=False) as pipe:
                pipe.zadd(WORKERS, {name: seconds})
                pipe.zremrangebyscore(WORKERS, "-inf", seconds - _WORKER_FORGOTTEN_S)
                pipe.execute()

    def worker_left(self, name: str) -> None:
        """Note that a worker machine left in good order."""
        with translated():
            self._client.zrem(WORKERS, name)


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
    mode = info.get("server_mode") or info.get("redis_mode")  # Valkey's word, and Redis'
    if mode == "cluster":
        yield "Redis runs in Cluster mode, where our scripts cannot: use one primary, with replicas and Sentinel."
    elif mode == "sentinel":
        yield "this is a Sentinel and no Redis: name it in redis.sentinels, and its primary in redis.master."
    elif info.get("role", "master") != "master":
        yield "this Redis is a replica: point redis.url at the primary, or name redis.sentinels."
    # INFO tells of good replicas only where a least number of them is set.
    elif info.get("connected_slaves") and "min_slaves_good_slaves" not in info:
        yield (
            "Redis has replicas and min-replicas-to-write is 0: a primary that is cut off accepts alerts that the "
            "failover forgets. Set min-replicas-to-write 1 and min-replicas-max-lag 10, or less."
        )
