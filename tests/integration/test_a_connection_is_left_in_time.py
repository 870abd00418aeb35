"""A connection whose reply came late, or whose server is no primary any more, is never used again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis
from testbed.programs import free_port
from testbed.redis import Redis, debian_redis, valkey
from testbed.sentinel import watched

from controller.ledger import Ledger, LedgerUnavailable, connect
from controller.ledger.clients import client
from controller.ledger.hearing import Heard, HeardAlert
from controller.settings.numbers import Numbers
from controller.settings.redis import Redis as RedisSettings

HEARD = Heard.of([HeardAlert("0123456789abcdef", True, 1, "{}", "{}", ("a-rule",))])


@pytest.fixture(params=["by its address", "by its Sentinels"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisSettings]:
    """Say where Redis is, in both ways that there are."""
    if request.param == "by its address":
        with valkey(tmp_path) as server:
            yield RedisSettings(url=server.url)
    else:
        with watched(tmp_path, replicas=0) as group:
            yield RedisSettings(**group.settings)


def test_a_reply_that_comes_late_is_given_to_nobody(settings: RedisSettings) -> None:
    """Else every answer after it would be that of another question."""
    asking = client(settings, connect_s=1, read_s=0.3, retries=0)
    asking.set("a", "1")
    with pytest.raises(redis.exceptions.TimeoutError):
        asking.blpop(["nothing"], timeout=1)
    assert [asking.get("a"), asking.get("b")] == ["1", None]
    asking.close()


def test_sentinels_that_say_nothing_are_asked_once_each() -> None:
    """Asking again at once, as after a refusal, would keep the sender waiting for longer than its second."""
    with ExitStack() as open_ones:
        silent = [open_ones.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        addresses = tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in silent)
        ledger = connect(RedisSettings(sentinels=addresses, master="m"), Numbers(web_connect_s=0.1), "web")
        with pytest.raises(LedgerUnavailable):
            ledger.hear(HEARD)
        ledger.close()
        assert [_waiting(one) for one in silent] == [1, 1, 1]


def _waiting(server: socket.socket) -> int:
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@pytest.fixture(params=[valkey, debian_redis])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Redis]:
    """Start what ships with us, and Debian's."""
    with request.param(tmp_path) as started:
        yield started


def test_who_meets_a_demoted_primary_connects_anew(server: Redis) -> None:
    """Whether a plain command, a script or a MULTI is refused; what was refused had no effect."""
    ledger = connect(RedisSettings(url=server.url), Numbers(), "web")
    with server.client() as client_of_the_test:
        client_of_the_test.replicaof("127.0.0.1", free_port())
        _all_refused(ledger)
        assert _connected(client_of_the_test) == 0, "nobody stays with a replica"
        client_of_the_test.replicaof("NO", "ONE")
    assert ledger.hear(HEARD).recorded == 1
    ledger.close()


def _all_refused(ledger: Ledger) -> None:
    with pytest.raises(LedgerUnavailable, match="another is the primary now"):
        ledger.health.worker_heard("here")
    with pytest.raises(LedgerUnavailable, match="another is the primary now"):
        ledger.hear(HEARD)


def _connected(of_the_test: redis.Redis) -> int:
    """Count the clients but for the one that asks."""
    own = of_the_test.client_id()
    return sum(int(one["id"]) != own for one in of_the_test.client_list(_type="normal"))


def test_replicas_that_are_asked_for_and_missing_are_no_acceptance(server: Redis) -> None:
    """What was written stays written: the same body is accepted when a replica has it."""
    settings = RedisSettings(url=server.url, wait_for_replicas=1)
    ledger = connect(settings, Numbers(), "web")
    with pytest.raises(LedgerUnavailable, match="Only 0 of 1 replicas"):
        ledger.hear(HEARD)
    with pytest.raises(LedgerUnavailable, match="Only 0 of 1 replicas"):
        ledger.hear(HEARD)
    ledger.close()
    assert connect(RedisSettings(url=server.url), Numbers(), "web").hear(HEARD).known == 1
