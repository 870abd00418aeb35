"""One Valkey for the model, in memory only: each example begins with an empty one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from testbed.redis import valkey

from model.machine import Protocol


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """Give two clients of one server: one that decodes, and one for dumps."""
    with valkey(tmp_path_factory.mktemp("model"), appendonly="no") as server:
        decoding, raw = redis.Redis(port=server.port, decode_responses=True), redis.Redis(port=server.port)
        yield decoding, raw
        decoding.close()
        raw.close()


@pytest.fixture
def protocol(clients: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> type[Protocol]:
    """Give the world on that server; its ids count from one, so that a world that broke comes back as it was."""
    ids = [itertools.count(1)]
    for module in ("rollbacks", "hearing"):
        monkeypatch.setattr(f"controller.ledger.{module}.new_id", lambda kind: f"{kind}{next(ids[0]):04d}")

    class Here(Protocol):
        client, raw = clients

        def __init__(self) -> None:
            ids[0] = itertools.count(1)
            super().__init__()

    return Here
