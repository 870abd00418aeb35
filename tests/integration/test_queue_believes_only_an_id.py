"""RQ's worker with what a stranger may write into Redis: nothing of it is executed, and the worker stays."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.wait import until
from testbed.worksite import Shop

from controller.ledger import End, queue_client
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.inventory import Restart, RestartKind
from workers.rqworker import work

OURS = "workers.jobs.run"


def _serve(shop: Shop) -> None:
    with shop.site() as site:
        work(site, queue_client(RedisSettings(url=shop.server.url), Numbers()))


@contextmanager
def worker(shop: Shop) -> Iterator[int]:
    """Run RQ's worker as a process; gives its pid."""
    process = get_context("fork").Process(target=_serve, args=(shop,))
    process.start()
    yield process.pid
    if process.is_alive():
        os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert not process.is_alive()


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    (tmp_path / "traces").mkdir()
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


def inject(server: Redis, ident: str, **fields: str | bytes) -> None:
    """Write a job into Redis as a stranger would."""
    with server.client() as client:
        base = {"created_at": "2026-01-01T00:00:00Z", "origin": "rollback", "status": "queued"}
        client.hset(f"rq:job:{ident}", mapping={**base, **fields})
        client.rpush("rq:queue:rollback", ident)


def strange_jobs(trace: Path) -> dict[str, dict[str, str | bytes]]:
    """Return jobs that would leave a trace if anything of them were executed."""
    touch = f"touch {trace}"
    foreign = json.dumps(["os.system", None, [touch], {}])
    ours = json.dumps([OURS, None, ["p0"], {}])
    return {
        "a-foreign-function": {"data": foreign},
        "a-method-of-an-instance": {"data": json.dumps(["system", "os", [touch], {}])},
        "a-pickle": {"data": b"\x80\x04cposix\nsystem\n(X\x05\x00\x00\x00touchtR."},
        "two-arguments": {"data": json.dumps([OURS, None, ["p0", touch], {}])},
        "keywords": {"data": json.dumps([OURS, None, ["p0"], {"site": touch}])},
        "a-success-callback": {"data": ours, "success_callback_name": "os.abort"},
        "a-failure-callback": {"data": foreign, "failure_callback_name": "os.abort"},
        "a-webhook": {"data": ours, "webhooks": '[{"url": "http://127.0.0.1:1/", "events": ["finished"]}]'},
        "retries": {"data": foreign, "retries_left": "5", "retry_intervals": "[0]"},
        "corrupt-numbers": {"data": ours, "timeout": "soon", "result_ttl": "x", "retries_left": "many"},
        "corrupt-dates": {
            "data": ours,
            "created_at": "yesterday",
            "enqueued_at": "\udcff".encode("utf-8", "replace"),
        },
        "no-data": {"description": "x"},
        "not-utf-8": {"data": b"\xff\xfe", "origin": b"\xff"},
    }


def test_strange_jobs_are_refused_and_the_next_rollback_is_done(shop: Shop, redis_server: Redis) -> None:
    """After every kind of strange job, an honest bell is still answered by the same worker."""
    traces = shop.folder / "traces"
    for name, fields in strange_jobs(traces / "touched").items():
        inject(redis_server, name, **fields)
    with shop.site() as site, worker(shop):
        ident = shop.open(site.ledger)

        def ended() -> bool:
            found = site.ledger.rollbacks.get(ident)
            return found is not None and found.outcome == End.RECOVERED

        until(ended, within_s=30, what="the rollback behind the strange jobs recovers")
    assert list(traces.iterdir()) == []


def test_asked_to_stop_the_worker_parks_its_job(shop: Shop) -> None:
    """SIGTERM to the worker reaches the job's process, which parks at the next step; the worker then ends."""
    gate = shop.folder / "gate"
    wait = f"touch {shop.folder}/begun; while [ ! -e {gate} ]; do sleep 0.02; done"
    wait += f"; printf x >> {shop.folder}/restarts"
    shop.with_service(restart=Restart(RestartKind.COMMAND, argv=("sh", "-c", wait)))
    with shop.site() as site:
        with worker(shop) as pid:
            ident = shop.open(site.ledger)
            until((shop.folder / "begun").exists, within_s=20, what="the restart begins")
            os.kill(pid, signal.SIGTERM)
            gate.touch()
        found = site.ledger.rollbacks.get(ident)
    assert found is not None
    assert (found.state, found.reason, shop.restarts) == ("parked", "shutdown", 1)
