"""What is wrong with the Redis we were given, and nobody at work, is said before it hurts."""

from __future__ import annotations

from pathlib import Path

from testbed.redis import valkey

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
