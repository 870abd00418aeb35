"""One Valkey for all integration tests, emptied before each; a ledger on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed.redis import Redis, valkey

from controller.ledger import Ledger, connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings

NUMBERS = Numbers()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Start the embedded Valkey once."""
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_server(valkey_server: Redis) -> Redis:
    """Give the server, emptied."""
    with valkey_server.client() as client:
        client.flushall()
    return valkey_server


@pytest.fixture
def ledger(redis_server: Redis) -> Iterator[Ledger]:
    """Give a worker's ledger."""
    built = connect(RedisSettings(url=redis_server.url), NUMBERS, "worker")
    yield built
    built.close()
