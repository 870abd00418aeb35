"""A worker dies, stalls, is asked to stop or runs out of time at any step; the next one finishes, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from rq.timeouts import JobTimeoutException
from testbed.redis import Redis
from testbed.worksite import WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, NewRollback, State, Taken
from rules.decisions import Reason
from rules.inventory import Stop
from rules.plans import Step, StepKind
from workers.driver import Driver
from workers.jobs import run
from workers.site import Site

Happening = Callable[[], None]
STEPS = (StepKind.SWITCH, StepKind.RESTART, StepKind.HEALTH, StepKind.KEEP_STABLE)


class Interrupted:
    """The real driver, with something happening just before or just after it does a step."""

    def __init__(self, driver: Driver, kind: StepKind, moment: str, happening: Happening) -> None:
        self._driver = driver
        self._at = (kind, moment)
        self._happening = happening

    def __getattr__(self, name: str) -> object:
        return getattr(self._driver, name)

    def perform(self, step: Step, before: Mapping[str, object], fence: int, deadline_s: float) -> object:
        """Do the step."""
        if self._at == (step.kind, "before"):
            self._happening()
        seen = self._driver.perform(step, before, fence, deadline_s)
        if self._at == (step.kind, "after"):
            self._happening()
        return seen


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


@contextmanager
def interrupted(shop: Shop, kind: StepKind, moment: str, happening: Happening) -> Iterator[Site]:
    """Give a site whose driver is interrupted."""
    with shop.site() as site:
        reach = shop.reach
        shop.reach = lambda *words: Interrupted(reach(*words), kind, moment, happening)  # type: ignore[method-assign]
        object.__setattr__(site, "reach", shop.reach)
        yield site
        shop.reach = reach  # type: ignore[method-assign]


def lapse(server: Redis) -> None:
    """Let the lease lapse, as its TTL would."""
    with server.client() as client:
        client.delete(f"rc:lease:{WEB2}")


def killed_at(shop: Shop, ident: str, kind: StepKind, moment: str) -> None:
    """Run the rollback in a process that is gone at one moment of one step, as by SIGKILL."""
    child = os.fork()
    if child == 0:
        with interrupted(shop, kind, moment, lambda: os._exit(9)) as site:
            run(site, ident, "job-1")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", STEPS)
def test_killed_at_any_step_the_next_worker_finishes_once(
    shop: Shop, redis_server: Redis, kind: StepKind, moment: str
) -> None:
    """Whatever step the worker dies in, another finishes; the link is switched once, by one hand."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        killed_at(shop, ident, kind, moment)
        switched = os.lstat(shop.folder / "current").st_ino if shop.running == "v1.2.0" else None
        lapse(redis_server)
        done = shop.work_to_the_end(site, ident)
        journal = site.ledger.rollbacks.journal(ident)
    assert (done.outcome, shop.running) == (End.RECOVERED, "v1.2.0")
    if switched is not None:
        assert os.lstat(shop.folder / "current").st_ino == switched
    assert shop.restarts in (1, 2)
    done_steps = [(e["phase"], e["step"]) for e in journal if e["kind"] == "done"]
    assert done_steps == sorted(set(done_steps))


def test_while_the_lease_is_anothers_the_job_ends_at_once(shop: Shop) -> None:
    """A busy lease is no reason to wait: the bell's job ends and changes nothing."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        assert isinstance(site.ledger.leases.take(ident, holder="other:1", kind="rollback"), Taken)
        assert shop.work(site, ident).state is State.PLANNED
    assert shop.restarts == 0


def test_lost_lease_writes_nothing_and_is_no_failure(shop: Shop, redis_server: Redis) -> None:
    """A worker whose lease went to another writes nothing more; the other finds what was done, and finishes."""

    def stolen() -> None:
        lapse(redis_server)
        with shop.site() as other:
            other.ledger.leases.take(ident, holder="other:1", kind="rollback")

    with interrupted(shop, StepKind.SWITCH, "after", stolen) as site:
        ident = shop.open(site.ledger)
        mine = shop.work(site, ident)
        assert (mine.state, mine.attempts) == (State.ACTING, 0)
    lapse(redis_server)
    with shop.site() as site:
        done = shop.work(site, ident, "job-2")
    assert (done.outcome, done.attempts, shop.restarts) == (End.RECOVERED, 0, 1)


def test_stale_worker_is_refused_by_the_target(shop: Shop, redis_server: Redis) -> None:
    """A worker that slept past its lease while another acted changes nothing: the host has seen a higher fence."""

    def overtaken() -> None:
        lapse(redis_server)
        with shop.site() as other:
            run(other, ident, "job-2")

    with interrupted(shop, StepKind.SWITCH, "before", overtaken) as site:
        object.__setattr__(site, "reach", site.reach)
        ident = shop.open(site.ledger)
        reach, shop.reach = shop.reach, type(shop).reach.__get__(shop)  # type: ignore[method-assign]
        run(site, ident, "job-1")
        shop.reach = reach  # type: ignore[method-assign]
        done = site.ledger.rollbacks.get(ident)
    assert done is not None
    assert (done.outcome, shop.running, shop.restarts) == (End.RECOVERED, "v1.2.0", 1)


def test_asked_to_stop_it_parks_at_the_next_step(shop: Shop, redis_server: Redis) -> None:
    """SIGTERM parks at a step boundary, gives the lease back and rings for another worker at once."""

    def stop() -> None:
        site.stopping.set()

    with interrupted(shop, StepKind.SWITCH, "after", stop) as site:
        ident = shop.open(site.ledger)
        parked = shop.work(site, ident)
        with redis_server.client() as client:
            assert not client.exists(f"rc:lease:{WEB2}")
            assert f"{ident}-0" in client.lrange("rq:queue:rollback", 0, -1)
    assert (parked.state, parked.reason, shop.running, shop.restarts) == (
        State.PARKED,
        Reason.SHUTDOWN,
        "v1.2.0",
        0,
    )
    with shop.site() as site:
        assert shop.work(site, ident, "job-2").outcome == End.RECOVERED
    assert shop.restarts == 1


def test_queues_time_limit_is_never_swallowed(shop: Shop, redis_server: Redis) -> None:
    """RQ's time limit is an `Exception` (rq/rq#2296); it leaves the runner, and the next worker carries on."""

    def timed_out() -> None:
        raise JobTimeoutException

    with interrupted(shop, StepKind.RESTART, "before", timed_out) as site:
        ident = shop.open(site.ledger)
        with pytest.raises(JobTimeoutException):
            run(site, ident, "job-1")
    lapse(redis_server)
    with shop.site() as site:
        assert shop.work(site, ident, "job-2").outcome == End.RECOVERED


def test_acting_too_long_is_held_for_a_person(shop: Shop, redis_server: Redis) -> None:
    """The acting deadline counts over all takeovers; past it only a person moves the rollback on."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        killed_at(shop, ident, StepKind.RESTART, "before")
        lapse(redis_server)
        with redis_server.client() as client:
            client.hincrby(f"rc:rollback:{ident}", "acting_since", -601_000)
        held = shop.work(site, ident, "job-2")
        assert (held.state, held.reason) == (State.HELD, Reason.DEADLINE)
        assert shop.work(site, ident, "job-3").state is State.HELD
        assert site.ledger.rollbacks.cancel(ident, by="alice", why="finished by hand").outcome == End.CANCELLED


def test_held_rollback_gives_way_when_another_release_arrives(shop: Shop, redis_server: Redis) -> None:
    """A held rollback whose release is gone is superseded when a new alert joins it."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        killed_at(shop, ident, StepKind.SWITCH, "before")
        lapse(redis_server)
        shop.arrive("v1.3.0")
        held = shop.work(site, ident, "job-2")
        assert (held.state, held.reason) == (State.HELD, Reason.CHANGED_MEANWHILE)
        assert site.ledger.rollbacks.open(new_alert(site)).id == ident
        assert shop.work(site, ident, "job-3").outcome == End.SUPERSEDED
        with redis_server.client() as client:
            asked = [client.hkeys(key) for key in client.keys("rc:notification:*")]
        assert sum("aa d1" in pairs for pairs in asked) == 2, "heard once, and put before its rule again"


def new_alert(site: Site) -> object:
    """Return what an alert about the instance opens."""
    site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
    return NewRollback(WEB2, "shop", "web2", ("aa",), rule="r", rule_digest="d1")


def test_what_was_drained_is_not_left_drained_when_the_switch_is_refused(shop: Shop) -> None:
    """Somebody deploys between drain and switch: the instance returns to rotation, the rollback holds."""
    drain = f"printf x >> {shop.folder}/drained"
    undrain = f"printf x >> {shop.folder}/undrained"
    shop.with_service(stop=Stop(drain=("sh", "-c", drain), undrain=("sh", "-c", undrain), within_s=20))
    with interrupted(shop, StepKind.SWITCH, "before", lambda: shop.arrive("v1.3.0")) as site:
        ident = shop.open(site.ledger)
        held = shop.work(site, ident)
        if held.state is not State.HELD:
            held = shop.work_to_the_end(site, ident)
    assert (held.state, held.reason, shop.restarts) == (State.HELD, Reason.CHANGED_MEANWHILE, 0)
    assert (shop.folder / "drained").read_text() == (shop.folder / "undrained").read_text() == "x"
