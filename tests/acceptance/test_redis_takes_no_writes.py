"""Redis is full, or became a replica, or holds still, in the middle of a rollback: it goes on when Redis does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import BLOCKING_RESTART, LocalShop, local_inventory, rules
from testbed.programs import free_port
from testbed.redis import Redis
from testbed.wait import until

BRISK = {
    "group_interval_s": 1,
    "call_timeout_s": 2,
    "lease_ttl_s": 4,
    "lease_renew_s": 1,
    "lease_renew_timeout_s": 0.5,
    "lease_lost_s": 2.5,
}
"""A lease that is lost within seconds, so that it is lost here."""


def _full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")


def _has_room(client: redis.Redis) -> None:
    client.config_set("maxmemory", "0")


def _demoted(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", free_port())


def _primary(client: redis.Redis) -> None:
    client.replicaof("NO", "ONE")


TROUBLES = {"full": (_full, _has_room), "read-only": (_demoted, _primary)}


@pytest.fixture
def installed(tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop) -> Installation:
    """Give an installation whose canary restarts only when the test lets it."""
    argv = ["sh", "-c", BLOCKING_RESTART, "sh", str(tmp_path), str(canary.current), str(canary.restarts_file)]
    entries = {"canary": canary.entry("canary", restart={"command": argv}), "stable": stable.entry("canary")}
    inventory = local_inventory(**entries)
    return Installation(tmp_path / "installed", redis_server.url, rules(), inventory, more={"numbers": BRISK})


@pytest.mark.parametrize(("trouble", "mended"), TROUBLES.values(), ids=TROUBLES)
def test_a_rollback_under_way_is_parked_and_goes_on(
    tmp_path: Path,
    installed: Installation,
    redis_server: Redis,
    canary: LocalShop,
    stable: LocalShop,
    trouble: Callable[[redis.Redis], None],
    mended: Callable[[redis.Redis], None],
) -> None:
    """The switch stands and is not made again; alerts are refused with 503 meanwhile; nobody has to come."""
    with installed.running() as (server, worker), redis_server.client() as client:
        assert installed.notify(body(alert(canary.labels()))).status == 202
        until((tmp_path / "restarting").exists, within_s=20, what="the restart has begun")
        switched = os.lstat(canary.current)
        trouble(client)
        (tmp_path / "go").touch()
        until(lambda: "rollback.parked" in worker.log(), within_s=20, what="the worker parks what it cannot write")
        assert installed.notify(body(alert(stable.labels()))).status == 503

        mended(client)
        until(
            lambda: installed.notify(body(alert(stable.labels()))).status == 202, within_s=10, what="it is taken"
        )
        _both_end_well(installed, canary, stable)
        assert server.running()
        assert worker.running()
    now = os.lstat(canary.current)
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"


def test_redis_holds_still_for_longer_than_a_lease(
    tmp_path: Path, installed: Installation, redis_server: Redis, canary: LocalShop, stable: LocalShop
) -> None:
    """The sender hears 503 while Redis still holds still; afterwards there is one switch, and nothing is lost."""
    with installed.running() as (server, worker), redis_server.client() as client:
        assert installed.notify(body(alert(canary.labels()))).status == 202
        until((tmp_path / "restarting").exists, within_s=20, what="the restart has begun")
        switched = os.lstat(canary.current)
        client.client_pause(6000)
        assert installed.notify(body(alert(stable.labels()))).status == 503
        assert installed.ask("/livez", token=None).status == 200
        assert not _answers(redis_server), "the refusal came while Redis held still"
        (tmp_path / "go").touch()

        until(lambda: installed.notify(body(alert(stable.labels()))).status < 300, within_s=20, what="it is taken")
        _both_end_well(installed, canary, stable)
        assert server.running()
        assert worker.running()
    now = os.lstat(canary.current)
    assert (now.st_ino, now.st_mtime_ns) == (switched.st_ino, switched.st_mtime_ns), "switched once"


def _answers(server: Redis) -> bool:
    asking = redis.Redis(port=server.port, socket_timeout=0.1, retry=None)
    try:
        return bool(asking.ping())
    except redis.exceptions.TimeoutError:
        return False
    finally:
        asking.close()


def _both_end_well(installed: Installation, *shops: LocalShop) -> None:
    for one in shops:
        until(lambda one=one: one.running() == "v1.2.0", within_s=30, what=f"{one.name} goes back")  # type: ignore[misc]
    resolved = body(*(alert(one.labels(), status="resolved") for one in shops))
    until(lambda: installed.notify(resolved).status < 300, within_s=10, what="the resolves are taken")
    ended = installed.ended(count=len(shops), within_s=60)
    assert sorted((r["instance"], r["outcome"]) for r in ended) == [(one.instance, "recovered") for one in shops]
    assert all(one.restarts() in {1, 2} for one in shops), "a restart whose note was lost may be done once more"
