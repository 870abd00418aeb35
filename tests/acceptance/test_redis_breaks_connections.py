"""Every connection to Redis is reset again and again while alerts come and rollbacks run: each happens once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop
from testbed.redis import Redis
from testbed.wait import until

EVERY_S = 0.05


@contextmanager
def _resets(server: Redis) -> Iterator[list[int]]:
    """Reset everybody's connections every 50 ms; the list tells how many, each time."""
    counted: list[int] = []
    over = threading.Event()

    def run() -> None:
        with server.client() as client:
            while not over.wait(EVERY_S):
                counted.append(client.client_kill_filter(_type="normal", skipme=True))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield counted
    finally:
        over.set()
        thread.join()


def test_resets_every_50_ms_delay_and_double_nothing(
    local: Installation, redis_server: Redis, canary: LocalShop, stable: LocalShop
) -> None:
    """What is refused is accepted when sent again; a reply that was lost is no second effect."""
    shops = (canary, stable)
    with local.running() as (server, worker):
        with _resets(redis_server) as counted:
            for one in shops:
                notification = body(alert(one.labels()))
                until(lambda n=notification: local.notify(n).status < 300, within_s=20, what="it is accepted")  # type: ignore[misc]
            until(lambda: len(counted) > 60, within_s=30, what="connections were reset for some seconds")
        assert sum(counted) > 10, "many connections were open, and broke"
        for one in shops:
            until(lambda one=one: one.running() == "v1.2.0", within_s=30, what=f"{one.name} goes back")  # type: ignore[misc]
        switched = [os.lstat(one.current).st_ino for one in shops]
        resolved = body(*(alert(one.labels(), status="resolved") for one in shops))
        until(lambda: local.notify(resolved).status < 300, within_s=20, what="the resolves are taken")
        ended = local.ended(count=2, within_s=60)
        assert server.running()
        assert worker.running()
    assert sorted((r["instance"], r["outcome"]) for r in ended) == [(one.instance, "recovered") for one in shops]
    assert [os.lstat(one.current).st_ino for one in shops] == switched
    assert all(one.restarts() in {1, 2} for one in shops), "a restart whose note was lost may be done once more"
