"""RQ's worker with what a stranger may write into Redis: nothing of it is executed, and the worker stays."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rq.exceptions import StopRequested
from rq.worker import WorkerStatus
from testbed.redis import Redis
from testbed.wait import until
from testbed.worksite import Shop

from controller.ledger import End, queue_client
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.inventory import Restart, RestartKind
from workers.rqqueue import DoorbellQueue
from workers.rqworker import DoorbellWorker, work
from workers.site import Site

OURS = "workers.jobs.run"


def _serve(shop: Shop) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # RQ's about what a stranger wrote; here they are errors
    with shop.site() as site:
        work(site, queue_client(RedisSettings(url=shop.server.url), Numbers()))


@contextmanager
def worker(shop: Shop, *, stays: bool = True) -> Iterator[int]:
    """Run RQ's worker as a process, which stays until it is asked to stop; gives its pid."""
    process = get_context("fork").Process(target=_serve, args=(shop,))
    process.start()
    try:
        yield process.pid
    finally:
        alive = process.is_alive()
        process.terminate()
        process.join(20)
        ended = not process.is_alive()
        process.kill()
    assert alive or not stays, "the worker quit"
    assert ended, "the worker does not end"


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
        recovers(shop, site)
    assert list(traces.iterdir()) == []


def recovers(shop: Shop, site: Site) -> None:
    """Open a rollback, and see it done by whoever serves the queue."""
    ident = shop.open(site.ledger)

    def ended() -> bool:
        found = site.ledger.rollbacks.get(ident)
        return found is not None and found.outcome == End.RECOVERED

    until(ended, within_s=30, what=f"{ident} recovers")


class _Touch:
    """A pickle that leaves a trace when it is read."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.trace}",)


TRACE = "/TRACE"
"""Stands for the folder of traces in what is made before there is one."""
_FUNCTIONS = st.sampled_from(
    [OURS, "os.system", "subprocess.call", "builtins.eval", "builtins.__import__", "workers.jobs.answer", ""]
) | st.text(max_size=20)
_ARGS = st.sampled_from([[f"touch {TRACE}/a"], [["touch", f"{TRACE}/b"]], [f"open('{TRACE}/c','w')"], ["r1"], []])
_CALLS = st.tuples(
    _FUNCTIONS, st.none() | st.text(max_size=8), _ARGS, st.just({}) | st.just({"site": f"touch {TRACE}/d"})
)
_PICKLES = st.sampled_from([0, 2, 5]).flatmap(
    lambda protocol: st.one_of(
        st.just(pickle.dumps(_Touch(f"{TRACE}/p"), protocol)),
        _CALLS.map(lambda call: pickle.dumps(call, protocol)),
    )
)
_JSON = _CALLS.map(lambda call: json.dumps(call).encode())
_BOMBS = st.sampled_from([zlib.compress(b"[" * 20_000_000), b"[" * 4000, b"9" * 4000])
_PAYLOADS = st.one_of(_PICKLES, _JSON, _BOMBS, st.binary(max_size=80))
_DATA = _PAYLOADS | _PAYLOADS.map(zlib.compress)
_NUMBERS = st.sampled_from([b"-1", b"0", b"9" * 30, b"1e309", b"\xff", b""])
_JOBS = st.fixed_dictionaries(
    {"data": _DATA},
    optional={
        **dict.fromkeys(("success_callback_name", "failure_callback_name", "stopped_callback_name"), _FUNCTIONS),
        **dict.fromkeys(("timeout", "result_ttl", "failure_ttl", "ttl", "retries_left", "repeats_left"), _NUMBERS),
        **dict.fromkeys(("retry_intervals", "repeat_intervals", "dependency_ids", "webhooks", "args"), _JSON),
        **dict.fromkeys(("meta", "result", "exc_info"), _DATA),
        "status": st.sampled_from(["queued", "started", "canceled", "stopped", "scheduled", "x"]),
        "created_at": st.sampled_from(["2026-01-01T00:00:00Z", "soon", b"\xff"]),
        "origin": st.sampled_from(["rollback", "other", b"\xff", "a:b"]),
        "group_id": st.text(max_size=5),
        "worker_name": st.binary(max_size=5),
    },
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],  # to make a failure smaller would take minutes, with a real worker
)
@given(jobs=st.lists(_JOBS, min_size=5, max_size=15))
def _strangers_fill_the_queue(jobs: list[dict[str, str | bytes]], traces: Path, server: Redis) -> None:
    def told(value: str | bytes) -> bytes:
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return raw.replace(TRACE.encode(), str(traces).encode()) if b"\x78\x9c" not in raw else raw

    with server.client() as client:
        for n, fields in enumerate(jobs):
            client.delete(f"rq:job:s{n}")
            client.hset(f"rq:job:s{n}", mapping={name: told(value) for name, value in fields.items()})
        for registry in ("rq:wip:rollback", "rq:scheduled:rollback", "rq:deferred:rollback", "rq:failed:rollback"):
            client.zadd(registry, {f"s{n}": 1 for n in range(len(jobs))})
        client.sadd("rq:job:s0:dependents", "s1")
        client.rpush("rq:queue:rollback", *(f"s{n}" for n in range(len(jobs))))
        until(lambda: client.llen("rq:queue:rollback") == 0, within_s=30, what="the queue is empty")


def test_no_job_of_a_stranger_is_ever_executed(shop: Shop, redis_server: Redis) -> None:
    """Pickles, calls and rubbish, packed or not, with callbacks, retries and dependencies, in all registries."""
    traces = shop.folder / "traces"
    with shop.site() as site, worker(shop) as pid:
        _strangers_fill_the_queue(traces=traces, server=redis_server)
        recovers(shop, site)
        peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line)
        assert int(peak.split()[1]) < 600_000, peak
    assert list(traces.iterdir()) == []


POISON: dict[str, tuple[tuple[str | bytes, ...], ...]] = {
    "ids that are no text": (("RPUSH", "rq:queue:rollback", b"\xff\xfe"),),
    "ids with colons, spaces and no end": (("RPUSH", "rq:queue:rollback", "a:b", "a b", "", "x" * 100_000),),
    "a job of another type": (("SADD", "rq:job:odd", "x"), ("RPUSH", "rq:queue:rollback", "odd")),
    "what RQ was about to do": (("RPUSH", "rq:queue:rollback:intermediate", b"\xff", "a:b", "gone"),),
    "what was about to be done, of another type": (("SET", "rq:wip:rollback", "x"),),
    "what failed, of another type": (("SADD", "rq:failed:rollback", "x"),),
    "what is started, of strangers": (("ZADD", "rq:wip:rollback", "1", "a:b:c", "1", b"\xff", "1", "plain"),),
    "what is scheduled": (("ZADD", "rq:scheduled:rollback", "1", "stranger"), ("SADD", "rq:queues", b"\xff")),
    "groups": (("SADD", "rq:groups", b"\xff", "g"), ("SADD", "rq:group:g", "x")),
    "a suspension": (("SET", "rq:suspended", "1"),),
    "workers that are none": (
        ("SADD", "rq:workers", "rq:worker:x", b"\xff"),
        ("SADD", "rq:workers:rollback", "y"),
    ),
    "cron": (("HSET", "rq:cron_job:x", "func", "os.system"), ("ZADD", "rq:cron_schedulers", "1", "x")),
}


@pytest.mark.parametrize("what", POISON)
def test_rubbish_among_rqs_keys_stops_no_worker(what: str, shop: Shop, redis_server: Redis) -> None:
    """Not when the worker starts, and not while it works: the next rollback is done."""
    with redis_server.client() as client:
        for command in POISON[what]:
            client.execute_command(*command)
    with shop.site() as site, worker(shop):
        recovers(shop, site)


def test_commands_over_redis_reach_nobody(shop: Shop, redis_server: Redis) -> None:
    """Who can publish (stop-job, kill-horse, shutdown, rubbish) ends no worker: nobody listens."""
    with shop.site() as site, worker(shop), redis_server.client() as client:
        recovers(shop, site)
        names = [name.removeprefix("rq:worker:") for name in client.smembers("rq:workers")]
        assert names
        for name in names:
            for command in ('{"command": "shutdown"}', '{"command": "kill-horse"}', "not json", "\xff"):
                assert client.publish(f"rq:pubsub:{name}", command) == 0
        shop.arrive("v1.3.0")
        recovers(shop, site)
        assert [name.removeprefix("rq:worker:") for name in client.smembers("rq:workers")] == names


def test_asked_to_stop_the_worker_parks_its_job(shop: Shop) -> None:
    """SIGTERM to the worker reaches the job's process, which parks at the next step; the worker then ends."""
    gate = shop.folder / "gate"
    wait = f"touch {shop.folder}/begun; while [ ! -e {gate} ]; do sleep 0.02; done"
    wait += f"; printf x >> {shop.folder}/restarts"
    shop.with_service(restart=Restart(RestartKind.COMMAND, argv=("sh", "-c", wait)))
    with shop.site() as site:
        with worker(shop, stays=False) as pid:
            ident = shop.open(site.ledger)
            until((shop.folder / "begun").exists, within_s=20, what="the restart begins")
            os.kill(pid, signal.SIGTERM)
            gate.touch()
        found = site.ledger.rollbacks.get(ident)
    assert found is not None
    assert (found.state, found.reason, shop.restarts) == ("parked", "shutdown", 1)


def test_a_request_to_stop_that_a_destructor_swallowed_is_not_forgotten(redis_server: Redis) -> None:
    """RQ raises it wherever the signal comes; where nobody passes it on, no other wait for a job begins."""
    connection = queue_client(RedisSettings(url=redis_server.url), Numbers())
    idle = DoorbellWorker([DoorbellQueue("rollback", connection=connection)], connection=connection)
    idle.set_state(WorkerStatus.IDLE)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with contextlib.suppress(StopRequested):
            idle.request_stop(signal.SIGTERM, None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    with pytest.raises(StopRequested):
        idle.heartbeat()
    connection.close()
