"""A worker dies right after its commit: whoever takes over asks the guards again, its own reservation left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.unguarded import NO_GUARDS
from testbed.worksite import WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, Rollback, State
from rules.decisions import Reason
from rules.errors import Transient
from rules.inventory import Host, Stop
from rules.limits import Limits, Policy, Waves
from rules.marks import Mark
from rules.plans import Step, StepKind
from rules.rule import Rule
from workers.jobs import run
from workers.site import Site

STRICT = replace(rule(), guards=replace(NO_GUARDS, cooldown_s=3600, limits=Limits(1, 1)), waves=Waves((1, 1.0)))
"""A rule whose own commit alone would hold it back: cooldown, limits and a wave."""


class Died(BaseException):
    """The worker is gone."""


class Dying:
    """The real driver, but the worker is gone (or whatever `happens`) as it looks at its first step of a kind."""

    def __init__(self, inner: object, kind: StepKind, happens: Callable[[], None]) -> None:
        self._inner, self._kind, self._happens = inner, kind, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def before(self, step: Step) -> object:
        """Look at what a step will change."""
        if step.kind is self._kind:
            self._happens()
        return self._inner.before(step)  # type: ignore[attr-defined]


def die() -> None:
    """Be gone."""
    raise Died


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that has just got v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        shop.with_service(hosts=HOSTS)
        yield shop


HOSTS = (Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),)


@contextmanager
def dying(shop: Shop, kind: StepKind = StepKind.SWITCH, happens: Callable[[], None] = die) -> Iterator[Site]:
    """Give a site whose worker does not get over its first step of a kind."""
    with shop.site() as site:
        yield replace(site, reach=lambda *words: Dying(shop.reach(*words), kind, happens))


def fire(shop: Shop, site: Site, of: Rule = STRICT, *, firing: bool = True) -> None:
    """Hear the alert, or its end."""
    shop.house.rules = Book(of)
    digests = (of.digest,) if firing else ()
    started = round(time.time() * 1000)
    site.ledger.hear(Heard.of([HeardAlert("aa", firing, started, orjson.dumps(ALERT).decode(), "{}", digests)]))


def committed(shop: Shop) -> str:
    """Have a rollback commit, and its worker die before it changes anything; returns its id."""
    found = _died(shop, StepKind.SWITCH)
    assert (found.state, shop.running, shop.restarts) == (State.ACTING, "v1.3.0", 0)
    return found.id


def _died(shop: Shop, kind: StepKind) -> Rollback:
    with dying(shop, kind) as site:
        fire(shop, site)
        with pytest.raises(Died):
            run(site, _rung(shop), "job-1")
        (found,) = site.ledger.rollbacks.list(1)
    lapse(shop)
    return found


def _rung(shop: Shop) -> str:
    with shop.server.client() as client:
        return next(job.split("-")[0] for job in client.lrange("rq:queue:rollback", 0, -1) if job.startswith("n"))


def lapse(shop: Shop) -> None:
    """Let the lease lapse, as its TTL would."""
    with shop.server.client() as client:
        client.delete(f"rc:lease:{WEB2}")


def reserved(shop: Shop) -> dict[str, object]:
    """Return what commits have reserved."""
    with shop.server.client() as client:
        return {
            "effects": len(client.keys("rc:effect:*")),
            "starts": client.zcard("rc:starts"),
            "campaigns": client.zcard("rc:campaigns"),
            "begun": client.scard("rc:begun"),
            "cooldown": client.exists(f"rc:changed:{WEB2}"),
            "left": client.hlen(f"rc:left:{WEB2}"),
        }


NOTHING = dict.fromkeys(("effects", "starts", "campaigns", "begun", "cooldown", "left"), 0)
ONE = dict.fromkeys(NOTHING, 1)


def test_it_goes_on_where_they_still_allow_the_same(shop: Shop) -> None:
    """Its own effect, cooldown, place among the limits and wave do not hold it back, and are reserved once."""
    ident = committed(shop)
    assert reserved(shop) == ONE
    with shop.site() as site:
        assert shop.work(site, ident, "job-2").state is State.VERIFYING
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)
    assert reserved(shop) == {**ONE, "begun": 1}


def long_ago(shop: Shop, ident: str, *since: str) -> None:
    """Have more time gone by since the commit than acting may take."""
    with shop.server.client() as client:
        for name in since:
            client.hincrby(f"rc:rollback:{ident}", name, -601_000)


def test_the_time_to_act_counts_from_when_they_allowed_it_again(shop: Shop) -> None:
    """All workers were away for an hour: nothing was begun in that time, so none of it was spent on acting."""
    ident = committed(shop)
    long_ago(shop, ident, "committed_at", "acting_since")
    with dying(shop, StepKind.RESTART) as site, pytest.raises(Died):
        run(site, ident, "job-2")
    lapse(shop)
    with shop.site() as site:
        before = site.ledger.rollbacks.get(ident)
        assert before is not None
        done = shop.work(site, ident, "job-3")
    assert (done.state, done.committed_ms) == (State.VERIFYING, before.committed_ms), done.detail
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)


def test_the_time_to_act_is_over_for_whoever_takes_over_a_change(shop: Shop) -> None:
    """It counts over all takeovers once something was begun."""
    ident = committed(shop)
    with dying(shop, StepKind.RESTART) as site, pytest.raises(Died):
        run(site, ident, "job-2")
    lapse(shop)
    long_ago(shop, ident, "acting_since")
    with shop.site() as site:
        held = shop.work(site, ident, "job-3")
    assert (held.state, held.reason, shop.restarts) == (State.HELD, Reason.DEADLINE, 0)


def test_a_pause_that_came_meanwhile_is_heeded(shop: Shop) -> None:
    """The reservation is given back while it waits, marks as well; after the resume it commits anew, once."""
    ident = committed(shop)
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "looks odd", None)
        held = shop.work(site, ident, "job-2")
        assert (held.state, held.reason, shop.running) == (State.WAITING, Reason.PAUSED_BY_PERSON, "v1.3.0")
        assert held.committed_ms is None
        assert reserved(shop) == NOTHING
        assert site.ledger.catalogue.of("shop", "").mark_of(("v1.3.0",)).mark is Mark.UNKNOWN
        assert site.ledger.hands.resume("", "ann")
        assert shop.work(site, ident, "job-3").state is State.VERIFYING
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)
    assert reserved(shop) == ONE


def test_another_release_that_came_meanwhile_is_left_alone(shop: Shop) -> None:
    """It may be the cure: the rollback is superseded, and nothing is reserved any more."""
    ident = committed(shop)
    shop.arrive("v1.2.0")
    shop.arrive("v1.3.0")
    with shop.site() as site:
        done = shop.work(site, ident, "job-2")
    assert (done.outcome, done.reason, shop.running, shop.restarts) == (
        End.SUPERSEDED,
        Reason.SUPERSEDED,
        "v1.3.0",
        0,
    )
    assert reserved(shop) == NOTHING


def test_an_alert_that_resolved_meanwhile_needs_no_rollback(shop: Shop) -> None:
    """Nothing was changed yet, so nothing is changed for trouble that is over."""
    ident = committed(shop)
    with shop.site() as site:
        fire(shop, site, firing=False)
        done = shop.work(site, ident, "job-2")
    assert (done.outcome, shop.running, reserved(shop)) == (End.RESOLVED, "v1.3.0", NOTHING)


def test_a_limit_that_was_lowered_meanwhile_holds(shop: Shop) -> None:
    """Its own start is not counted for it, nor against it: none may start now."""
    ident = committed(shop)
    with shop.site() as site:
        stopped = replace(site, policy=Policy(limits=Limits(0, 0)))
        held = shop.work(stopped, ident, "job-2")
    assert (held.state, held.reason, reserved(shop)) == (State.WAITING, Reason.LIMIT_REACHED, NOTHING)


def test_a_persons_rollback_is_asked_again_too(shop: Shop) -> None:
    """Somebody locked the service for a deploy in between: the person is told, and nothing happens."""
    with dying(shop) as site:
        ident = shop.open(site.ledger)
        with pytest.raises(Died):
            run(site, ident, "job-1")
    lapse(shop)
    with shop.site() as site:
        site.ledger.hands.lock("shop", "ci", "deploy 7", 60)
        done = shop.work(site, ident, "job-2")
    assert (done.outcome, done.reason, shop.running) == (End.REFUSED, Reason.DEPLOY_LOCKED, "v1.3.0")
    assert reserved(shop)["effects"] == 0


def test_what_was_drained_is_in_rotation_again_while_it_waits(shop: Shop) -> None:
    """The commit is given back, and so is the drain; when it goes on, it drains anew."""
    drain, undrain = (("sh", "-c", f"printf x >> {shop.folder}/{name}") for name in ("drained", "undrained"))
    shop.with_service(hosts=HOSTS, stop=Stop(drain=drain, undrain=undrain, within_s=20))
    ident = committed(shop)
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "looks odd", None)
        assert shop.work(site, ident, "job-2").state is State.WAITING
        assert (shop.folder / "drained").read_text() == (shop.folder / "undrained").read_text() == "x"
        site.ledger.hands.resume("", "ann")
        assert shop.work(site, ident, "job-3").state is State.VERIFYING
    assert (shop.folder / "drained").read_text() == (shop.folder / "undrained").read_text() == "xx"
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)


def test_one_that_parked_before_its_first_change_is_asked_again(shop: Shop) -> None:
    """It waits for a target that cannot be reached; whoever looks next heeds a pause that came meanwhile."""

    def unreachable() -> None:
        raise Transient(Reason.UNREACHABLE, "gone for a moment")

    with dying(shop, happens=unreachable) as site:
        fire(shop, site)
        run(site, _rung(shop), "job-1")
        parked: Rollback = site.ledger.rollbacks.list(1)[0]
        assert (parked.state, reserved(shop)) == (State.PARKED, ONE)
        site.ledger.hands.pause("", "ann", "", None)
        held = shop.work(site, parked.id, "job-2")
    assert (held.state, held.reason, reserved(shop)) == (State.WAITING, Reason.PAUSED_BY_PERSON, NOTHING)


def forgotten(shop: Shop, ident: str) -> None:
    """Have a failover forget what the journal says, to which only the primary that is gone had answered."""
    with shop.server.client() as client:
        client.delete(f"rc:journal:{ident}")
        client.hdel(f"rc:rollback:{ident}", "journal_head")


@pytest.mark.parametrize("resolved", [False, True])
def test_a_change_that_a_failover_forgot_is_never_given_back(shop: Shop, *, resolved: bool) -> None:
    """The journal is gone, and the link is switched by our own hand: that goes on, whatever was said since."""
    found = _died(shop, StepKind.RESTART)
    assert (found.state, shop.running, shop.restarts) == (State.ACTING, "v1.2.0", 0)
    forgotten(shop, found.id)
    with shop.site() as site:
        if resolved:
            fire(shop, site, firing=False)
        site.ledger.hands.pause("", "ann", "", None)
        done = shop.work(site, found.id, "job-2")
        told = [entry["kind"] for entry in site.ledger.rollbacks.journal(found.id)]
    assert done.state is State.VERIFYING or done.outcome == End.RECOVERED, done
    assert done.from_release == "v1.3.0"
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)
    assert reserved(shop)["left"] == reserved(shop)["cooldown"] == 1
    assert "found-begun" in told


def test_a_forgotten_change_that_is_held_is_known_to_be_one(shop: Shop) -> None:
    """The time to act is over: a person finishes it by hand, and nothing that it reserved is given back."""
    found = _died(shop, StepKind.RESTART)
    forgotten(shop, found.id)
    long_ago(shop, found.id, "acting_since")
    with shop.site() as site:
        held = shop.work(site, found.id, "job-2")
        assert (held.state, held.reason, held.changed_ms is None) == (State.HELD, Reason.DEADLINE, False)
        site.ledger.rollbacks.cancel(found.id, by="ann", why="finished by hand")
    assert reserved(shop) == {**ONE, "begun": 0}


def test_what_a_deployer_brought_after_a_forgotten_change_is_left_alone(shop: Shop) -> None:
    """Ours was there in between: what runs now is another's."""
    found = _died(shop, StepKind.RESTART)
    forgotten(shop, found.id)
    shop.arrive("v1.3.0")
    with shop.site() as site:
        done = shop.work(site, found.id, "job-2")
    assert (shop.running, shop.restarts, done.outcome) == ("v1.3.0", 0, End.SUPERSEDED)


def test_a_change_that_was_begun_is_not_asked_about(shop: Shop) -> None:
    """Once the link may have been switched, a pause comes too late: it is observed, and finished."""
    found = _died(shop, StepKind.RESTART)
    assert (found.state, shop.running) == (State.ACTING, "v1.2.0")
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "", None)
        assert shop.work(site, found.id, "job-2").state is State.VERIFYING
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)


def test_a_target_out_of_sight_gives_nothing_back_at_once(shop: Shop) -> None:
    """It may show a change that a failover forgot: it is looked at as often as the rule says, then given back."""
    twice = replace(STRICT, retry=replace(STRICT.retry, attempts=2, initial_s=0.01))

    def unreachable(*_: object) -> None:
        raise Transient(Reason.UNREACHABLE, "gone for a moment")

    with dying(shop) as site:
        fire(shop, site, twice)
        with pytest.raises(Died):
            run(site, _rung(shop), "job-1")
        ident = site.ledger.rollbacks.list(1)[0].id
    lapse(shop)
    with shop.site() as site:
        away = replace(site, reach=unreachable)
        parked = shop.work(away, ident, "job-2")
        assert (parked.state, parked.attempts, reserved(shop)) == (State.PARKED, 1, ONE)
        done = shop.work(away, ident, "job-3")
    assert (done.outcome, done.reason, reserved(shop)) == (End.FAILED, Reason.UNREACHABLE, NOTHING)
