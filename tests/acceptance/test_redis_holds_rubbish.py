"""Whatever stands in the queue and in RQ's own keys, the next good job runs; also when scripts are forgotten.

`rq:*` belongs to a library, and to whoever may write to Redis: nothing that stands there is believed, and nothing
that stands there stops the workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger.keys import QUEUE_LIST

Commands = tuple[tuple[str | bytes, ...], ...]

RUBBISH: Mapping[str, Commands] = {
    "ids-of-no-job": (("RPUSH", QUEUE_LIST, "nothing", "", "a" * 100_000, b"\xff\x00\xfe", "x-1", "{}"),),
    "jobs-of-a-wrong-type": (
        ("SET", "rq:job:text", "x"),
        ("RPUSH", "rq:job:list", "x"),
        ("RPUSH", QUEUE_LIST, "text", "list"),
    ),
    "jobs-that-cannot-be-read": (
        ("HSET", "rq:job:binary", "data", b"\x80\x04\x95\xff", "created_at", b"\xff", "origin", b"\xfe"),
        ("HSET", "rq:job:times", "created_at", "yesterday", "enqueued_at", "x", "timeout", "x", "data", "[1,2]"),
        ("HSET", "rq:job:fields", b"\xff\xfe", b"\xff", "status", "x", "data", b"x\x9c\x00\x00", "meta", "["),
        ("RPUSH", QUEUE_LIST, "binary", "times", "fields"),
    ),
    "registries-of-a-wrong-type": tuple(
        command
        for name in ("wip", "failed", "finished", "deferred", "scheduled", "canceled")
        for command in (("DEL", f"rq:{name}:rollback"), ("SET", f"rq:{name}:rollback", "x"))
    ),
    "registries-with-rubbish": tuple(
        command
        for name in ("wip", "failed", "finished", "deferred", "scheduled", "canceled")
        for command in (("DEL", f"rq:{name}:rollback"), ("ZADD", f"rq:{name}:rollback", "1", b"\xff:x:y"))
    ),
    "lists-of-workers-of-a-wrong-type": (
        ("DEL", "rq:workers"),
        ("HSET", "rq:workers", "a", "b"),
        ("DEL", "rq:workers:rollback"),
        ("SET", "rq:workers:rollback", "x"),
        ("DEL", "rq:queues"),
        ("SET", "rq:queues", "x"),
    ),
    "a-queue-that-is-no-list": (("DEL", QUEUE_LIST), ("HSET", QUEUE_LIST, "a", "b")),
    "scripts-forgotten": (("SCRIPT FLUSH", "SYNC"), ("FUNCTION FLUSH", "SYNC")),
}


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Mapping[str, LocalShop]]:
    """Make an instance for each kind of rubbish."""
    with local_shops(tmp_path, *RUBBISH) as made:
        yield made


def test_the_next_good_job_runs(tmp_path: Path, redis_server: Redis, named: Mapping[str, LocalShop]) -> None:
    """After each kind of rubbish an alert is accepted and its instance goes back, by the same two programs."""
    inventory = local_inventory(**{name: one.entry("canary") for name, one in named.items()})
    installed = Installation(tmp_path / "installed", redis_server.url, rules(), inventory)
    with installed.running() as (server, worker), redis.Redis(port=redis_server.port) as raw:
        for name, commands in RUBBISH.items():
            for command in commands:
                raw.execute_command(*command)
            notification = body(alert(named[name].labels()))
            until(lambda n=notification: installed.notify(n).status == 202, within_s=20, what=f"{name}: accepted")  # type: ignore[misc]
            goes_back = named[name].running
            until(lambda back=goes_back: back() == "v1.2.0", within_s=30, what=f"{name}: it goes back")  # type: ignore[misc]
            assert server.running()
            assert worker.running()
    assert {one.restarts() for one in named.values()} == {1}
