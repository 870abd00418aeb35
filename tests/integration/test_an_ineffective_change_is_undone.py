"""`on-ineffective: undo`: what did not help is taken back, once, and only while it still is what we made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.wait import until
from testbed.worksite import WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, LedgerUnavailable, Rollback, State
from controller.settings.numbers import Numbers
from rules.decisions import Reason
from rules.errors import Transient
from rules.inventory import Host
from rules.marks import Mark
from rules.plans import Step, StepKind
from rules.rule import OnIneffective, Rule, Verify
from workers.jobs import run
from workers.site import Site

QUICK = Verify(healthy_within_s=5, steady_s=0, cleared_within_s=0.4)
UNDOES = replace(rule(), verify=replace(QUICK, on_ineffective=OnIneffective.UNDO))
STAYS = replace(rule(), verify=QUICK)


class Died(BaseException):
    """The worker is gone."""


class Dying:
    """The real driver, but the worker is gone before it does one thing, or just after."""

    def __init__(self, inner: object, what: str, moment: str) -> None:
        self._inner, self._what, self._moment = inner, what, moment

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def plan_way_back(self, *words: object) -> object:
        """Plan it."""
        return self._once("plan", lambda: self._inner.plan_way_back(*words))  # type: ignore[attr-defined]

    def perform(self, step: Step, *words: object) -> object:
        """Do a step."""
        return self._once(step.kind, lambda: self._inner.perform(step, *words))  # type: ignore[attr-defined]

    def _once(self, what: str, does: Callable[[], object]) -> object:
        if what == self._what and self._moment == "before":
            raise Died
        found = does()
        if what == self._what:
            raise Died
        return found


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that has just got v1.3.0."""
    numbers = Numbers(group_interval_s=5, heard_write_every_s=0.01)
    with Shop(tmp_path, redis_server, numbers).serving() as shop:
        shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),))
        yield shop


def fires(shop: Shop, site: Site, of: Rule, fp: str = "aa") -> Rollback | None:
    """Hear the alert, do what its bell leads to, and return the newest rollback."""
    shop.house.rules = Book(of)
    labels = orjson.dumps(ALERT).decode()
    site.ledger.hear(Heard.of([HeardAlert(fp, True, round(time.time() * 1000), labels, "{}", (of.digest,))]))
    with shop.server.client() as client:
        rung = client.lrange("rq:queue:rollback", 0, -1)
        client.delete("rq:queue:rollback")
    for ident in {job.split("-")[0] for job in rung if job.startswith("n")}:
        run(site, ident, "job-1")
    return next(iter(site.ledger.rollbacks.list(1)), None)


def proven(shop: Shop, site: Site, of: Rule) -> Rollback:
    """Bring a rollback to where the next look finds that it did not help: the alert goes on and on."""
    found = fires(shop, site, of)
    assert found is not None
    assert (found.state, shop.running) == (State.VERIFYING, "v1.2.0")
    over_ms = (found.changed_ms or 0) + 450

    def heard() -> bool:
        fires(shop, site, of)
        return site.ledger.booking.now_ms() > over_ms

    until(heard, within_s=10, what="its alert goes on past cleared-within")
    return found


def test_what_was_there_is_brought_back_once(shop: Shop) -> None:
    """The record says so, the suspicion is lifted, the rule may only ask, and the arrival is none for a rule."""
    with shop.site() as site:
        found = proven(shop, site, UNDOES)
        done = shop.work(site, found.id, "job-2")
        assert (done.state, done.outcome, done.reason) == (State.ENDED, End.INEFFECTIVE, Reason.STILL_FIRING)
        assert (shop.running, shop.restarts) == ("v1.3.0", 2)
        assert done.detail.startswith("v1.3.0 was brought back, in place of v1.2.0, which did not help: ")
        assert site.ledger.catalogue.of("shop", "").mark_of(("v1.3.0",)).mark is Mark.UNKNOWN
        assert site.ledger.hands.demotions().keys() == {UNDOES.name}
        shop.work(site, found.id, "job-3")
        again = fires(shop, site, UNDOES, "bb")
        assert again is not None
        assert (again.outcome, again.reason) == (End.REFUSED, Reason.EFFECT_ALREADY_MADE)
        told = [message.message for message in site.ledger.outbox.recent(20)]
    assert shop.restarts == 2
    assert any("v1.3.0 was brought back, in place of v1.2.0" in message.body for message in told)
    with shop.server.client() as client:
        assert client.hgetall(f"rc:left:{WEB2}") == {}


def test_without_it_the_change_stays(shop: Shop) -> None:
    """`hold` is what a rule says that says nothing."""
    with shop.site() as site:
        done = shop.work(site, proven(shop, site, STAYS).id, "job-2")
    assert (done.outcome, shop.running, shop.restarts) == (End.INEFFECTIVE, "v1.2.0", 1)


@pytest.mark.parametrize(
    ("what", "moment"),
    [("plan", "after"), (StepKind.SWITCH, "before"), (StepKind.SWITCH, "after"), (StepKind.RESTART, "after")],
)
def test_killed_anywhere_on_the_way_back_it_is_taken_once(shop: Shop, what: str, moment: str) -> None:
    """Between the verdict and the way back, and at each of its steps: the next worker goes on, and no further."""
    with shop.site() as site:
        found = proven(shop, site, UNDOES)
        dying = replace(site, reach=lambda *words: Dying(shop.reach(*words), what, moment))
        with pytest.raises(Died):
            run(dying, found.id, "job-2")
        with shop.server.client() as client:
            client.delete(f"rc:lease:{WEB2}")
        done = shop.work_to_the_end(site, found.id)
        switched = [e for e in site.ledger.rollbacks.journal(found.id) if e["kind"] == "done"]
    assert (done.outcome, done.reason, shop.running) == (End.INEFFECTIVE, Reason.STILL_FIRING, "v1.3.0")
    assert shop.restarts in (2, 3)
    assert sum(e["phase"] == "way-back" and e["step_kind"] == StepKind.SWITCH for e in switched) == 1


@pytest.mark.parametrize(
    ("arrives", "ends"),
    [(("v1.3.0",), Reason.SUPERSEDED), (("v1.3.0", "v1.2.0"), Reason.STILL_FIRING)],
    ids=["another release", "the same, brought by somebody else"],
)
def test_a_target_that_moved_on_is_left_alone(shop: Shop, arrives: tuple[str, ...], ends: Reason) -> None:
    """Whoever brought something since knows more than the verdict does."""
    with shop.site() as site:
        found = proven(shop, site, UNDOES)
        for release in arrives:
            shop.arrive(release)
        done = shop.work(site, found.id, "job-2")
    assert (done.state, done.reason, shop.running, shop.restarts) == (State.ENDED, ends, arrives[-1], 1)
    assert ends is Reason.SUPERSEDED or "was not brought back" in done.detail


class OutOfSight:
    """The real driver, but its target cannot be seen."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def observe(self) -> object:
        """Look."""
        raise Transient(Reason.UNREACHABLE, "no route to host")


ONE_TRY = replace(UNDOES, retry=replace(UNDOES.retry, attempts=1))


def test_a_target_out_of_sight_is_no_failure_of_what_was_done(shop: Shop) -> None:
    """However often it cannot be seen while it is verified: it is looked at again, and nothing is counted."""
    with shop.site() as site:
        found = proven(shop, site, ONE_TRY)
        blind = replace(site, reach=lambda *words: OutOfSight(shop.reach(*words)))
        for turn in range(6):
            waits = shop.work(blind, found.id, f"blind-{turn}")
            assert (waits.state, waits.reason, waits.attempts) == (State.VERIFYING, Reason.UNREACHABLE, 0)
            with shop.server.client() as client:
                in_ms = client.zscore("rc:due", found.id) - site.ledger.booking.now_ms()
            assert 10_000 < in_ms <= 15_000
        done = shop.work(site, found.id, "job-2")
    assert (done.outcome, done.reason, shop.running) == (End.INEFFECTIVE, Reason.STILL_FIRING, "v1.3.0")


def test_a_target_that_stays_out_of_sight_is_not_waited_for_for_ever(shop: Shop) -> None:
    """It did not help, that is proven: once the time to act is over, it ends so, and says what was not done."""
    with shop.site() as site:
        found = proven(shop, site, ONE_TRY)
        with shop.server.client() as client:
            client.hincrby(f"rc:rollback:{found.id}", "changed_at", -601_000)
        blind = replace(site, reach=lambda *words: OutOfSight(shop.reach(*words)))
        done = shop.work(blind, found.id, "job-2")
    assert (done.state, done.outcome, done.reason) == (State.ENDED, End.INEFFECTIVE, Reason.STILL_FIRING)
    assert "was not brought back: no route to host" in done.detail
    assert shop.running == "v1.2.0"


def test_what_failed_before_the_change_is_not_counted_against_its_judgement(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restart failed once; then Redis is away for a moment, right after the change was written down."""
    of = replace(UNDOES, retry=replace(UNDOES.retry, attempts=2, initial_s=0.01, max_s=0.01))
    with shop.site() as site:
        failing = replace(site, reach=lambda *words: Dying(shop.reach(*words), StepKind.RESTART, "once"))
        monkeypatch.setattr(Dying, "_once", _fails)
        parked = fires(shop, failing, of)
        assert parked is not None
        assert (parked.state, parked.attempts) == (State.PARKED, 1)
        take, takes = site.ledger.leases.take, iter((False, True, False))

        def away(*words: object, **more: object) -> object:
            if next(takes):
                raise LedgerUnavailable("gone for a moment")
            return take(*words, **more)

        site.ledger.leases.take = away  # type: ignore[method-assign]
        waits = shop.work(site, parked.id, "job-2")
    assert (waits.state, waits.attempts, shop.restarts) == (State.VERIFYING, 0, 1)


def _fails(dying: Dying, what: str, does: Callable[[], object]) -> object:
    if what == StepKind.RESTART:
        raise Transient(Reason.UNREACHABLE, "no route to host")
    return does()


def test_somebody_who_deploys_while_it_goes_back_is_not_written_over(shop: Shop) -> None:
    """The link is compared again as it is switched; a second way back there never is."""

    class Deploys(Dying):
        def perform(self, step: Step, *words: object) -> object:
            if step.kind is StepKind.SWITCH:
                shop.arrive("v1.2.0")
            return self._inner.perform(step, *words)  # type: ignore[attr-defined]

    with shop.site() as site:
        found = proven(shop, site, UNDOES)
        racing = replace(site, reach=lambda *words: Deploys(shop.reach(*words), "", ""))
        run(racing, found.id, "job-2")
        held = shop.work_to_the_end(site, found.id)
    assert (held.state, held.reason, shop.running) == (State.HELD, Reason.CHANGED_MEANWHILE, "v1.2.0")
    assert shop.restarts == 1
