"""An Alertmanager that takes every question and never answers: what is due is rung for all the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.redis import Redis
from testbed.wait import until

HANGS_FOR_S = 30
"""So long each question is waited for: the longest that the settings allow."""
GOES_ON_WITHIN_S = 20


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Listen, for connections that are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        listening.settimeout(GOES_ON_WITHIN_S)
        yield listening


def test_trap_06_alertmanager_hangs_while_a_rollback_waits_for_its_time(
    tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop, silent: socket.socket
) -> None:
    """Only the reconciler rings for it, and by then Alertmanager has been asked, and hangs."""
    inventory = local_inventory(canary=canary.entry("canary"), stable=stable.entry("stable"))
    waits = rules(when={"matchers": ['alertname="ShopFails"'], "for": "3s"})
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    more = {
        "numbers": {"group_interval_s": 1},
        "alertmanager": {"url": url, "receiver": "rollback.controller", "timeout_s": HANGS_FOR_S},
    }
    installed = Installation(tmp_path / "installed", redis_server.url, waits, inventory, more=more)
    with installed.running() as (_, machine), silent.accept()[0] as hanging:
        assert hanging.recv(1000).startswith(b"GET /api/v2/status")
        installed.notify(body(alert(canary.labels(), starts_at=stamp(0))))
        until(
            lambda: [one["reason"] for one in installed.rollbacks()] == ["not-for-long-enough"],
            within_s=GOES_ON_WITHIN_S,
            what="it waits for its time",
        )
        until(lambda: canary.running() == "v1.2.0", within_s=GOES_ON_WITHIN_S, what="the canary goes back")
        machine.kill()
