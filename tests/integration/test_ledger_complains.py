"""What is wrong with the Redis we were given, and nobody at work, is said before it hurts."""

from __future__ import annotations

from pathlib import Path

from testbed.programs import free_port
from testbed.redis import Redis, valkey
from testbed.wait import until

from controller.ledger import Ledger, connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings


def test_redis_as_asked_for_is_not_complained_of(ledger: Ledger) -> None:
    """The append-only file on and nothing evicted: nothing to say."""
    assert ledger.health.complaints() == ()


def test_eviction_and_missing_persistence_are_named_with_what_to_set(tmp_path: Path) -> None:
    """A Redis that may forget is named for each thing it may forget by."""
    with valkey(tmp_path, appendonly="no", maxmemory_policy="allkeys-lru") as server:
        ledger = connect(RedisSettings(url=server.url), Numbers(), "worker")
        said = " ".join(ledger.health.complaints())
        ledger.close()
    assert "Set maxmemory-policy to noeviction" in said
    assert "Set appendonly yes" in said


def test_nobody_at_work_is_said_until_a_worker_is_heard(ledger: Ledger) -> None:
    """Accepted alerts wait while no worker lives; that is told apart from what is wrong with Redis."""
    assert len(ledger.health.silence()) == 1
    ledger.health.worker_heard("here:1")
    assert ledger.health.silence() == ()
    ledger.health.worker_left("here:1")
    assert len(ledger.health.silence()) == 1


def test_what_stands_where_one_primary_should_is_named(tmp_path: Path) -> None:
    """A replica, a primary whose replicas do not bind it, and a cluster: each with what to set."""
    folders = [tmp_path / name for name in ("primary", "replica", "cluster")]
    for folder in folders:
        folder.mkdir()
    with (
        valkey(folders[0], repl_diskless_sync_delay="0") as primary,
        valkey(folders[1], replicaof=f"127.0.0.1 {primary.port}") as replica,
        valkey(folders[2], cluster_enabled="yes", cluster_port=str(free_port())) as cluster,
    ):
        until(lambda: "min-replicas-to-write 1" in _said(primary), within_s=10, what="it is told of its replica")
        assert "this Redis is a replica" in _said(replica)
        assert "Cluster mode" in _said(cluster)
        with primary.client() as client:
            client.config_set("min-replicas-to-write", "1")
        assert _said(primary) == ""


def _said(server: Redis) -> str:
    ledger = connect(RedisSettings(url=server.url), Numbers(), "worker")
    try:
        return " ".join(ledger.health.complaints())
    finally:
        ledger.close()
