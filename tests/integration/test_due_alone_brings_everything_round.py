"""Every doorbell may be lost: whatever waits is rung for by its entry in `due`, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.wait import until
from testbed.worksite import Shop

from controller.ledger import (
    End,
    Heard,
    HeardAlert,
    Hold,
    Ledger,
    NewRollback,
    Rollback,
    State,
    Taken,
    connect,
)
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.decisions import Reason
from rules.inventory import Host
from rules.rule import Mode
from workers.jobs import run
from workers.site import Site

WEB2 = "hosts/default/shop/web2"
NEW = NewRollback(instance=WEB2, service="shop", host="web2", rule="r", rule_digest="d1")
QUEUE = "rq:queue:rollback"
QUICK = Numbers(
    lease_ttl_s=0.3,
    lease_renew_s=0.1,
    lease_lost_s=0.2,
    reconcile_every_s=0.02,
    due_first_s=0.05,
    due_max_s=0.2,
    group_interval_s=0.05,
)
SOON_S = 0.05

WAITS: list[tuple[Sequence[State], Reason]] = [
    ((), Reason.BACKOFF),
    ((State.WAITING,), Reason.NOT_FOR_LONG_ENOUGH),
    ((State.WAITING,), Reason.ASK_MODE),
    ((State.WAITING,), Reason.WAVE),
    ((State.WAITING,), Reason.FROZEN),
    ((State.WAITING,), Reason.UNREACHABLE),
    ((State.ACTING,), Reason.BACKOFF),
    ((State.ACTING, State.PARKED), Reason.UNREACHABLE),
    ((State.ACTING, State.PARKED), Reason.SHUTDOWN),
    ((State.ACTING, State.VERIFYING), Reason.BACKOFF),
    ((State.ACTING, State.UNDOING), Reason.NOT_HEALTHY),
]
"""The states that a rollback goes through until it waits, and what it says it waits for; none: it is planned."""


@pytest.fixture
def ledger(redis_server: Redis) -> Iterator[Ledger]:
    """Give a ledger for which a pause is short."""
    built = connect(RedisSettings(url=redis_server.url), QUICK, "worker")
    yield built
    built.close()


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that runs v1.3.0."""
    with Shop(tmp_path, redis_server, QUICK).serving() as shop:
        shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),))
        yield shop


def lose_every_bell(server: Redis) -> None:
    """Forget every doorbell, as a Redis that lost the queue would."""
    with server.client() as client:
        client.delete(QUEUE, *client.keys("rq:job:*"))


def rung(server: Redis) -> set[str]:
    """Return the ids that bells in the queue are for."""
    with server.client() as client:
        return {job.rpartition("-")[0] for job in client.lrange(QUEUE, 0, -1)}


def comes_round(server: Redis, ledger: Ledger, ident: str) -> None:
    """Lose every bell; the reconciler rings for the id, and again when that bell is lost as well."""
    for _ in range(2):
        lose_every_bell(server)

        def is_rung() -> bool:
            ledger.bells.ring_due()
            return ident in rung(server)

        until(is_rung, within_s=10, what=f"{ident} is rung for by `due` alone")


@pytest.mark.parametrize(("states", "reason"), WAITS)
def test_a_rollback_that_waits_is_rung_for(
    ledger: Ledger, redis_server: Redis, states: Sequence[State], reason: Reason
) -> None:
    """In each state, with its lease let go or, where it acts, with a holder that died."""
    ident = ledger.rollbacks.open(NEW).id
    taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(taken.id, taken.lease, taken.token)
    if State.ACTING in states:
        done = ledger.rollbacks.commit(hold, effect="e1", book=taken.book, from_release="v1.3.0", fields={})
        assert done.verdict == "ok"
    for state in states:
        if state is not State.ACTING:
            fields = {"reason": reason, "detail": ""}
            ledger.rollbacks.move(hold, tuple(State), state, fields, look_again_s=SOON_S, release=True)

    found = ledger.rollbacks.get(ident)
    assert found is not None
    assert found.state is (states[-1] if states else State.PLANNED)
    comes_round(redis_server, ledger, ident)


def test_a_notification_that_nobody_decided_on_is_rung_for(ledger: Ledger, redis_server: Redis) -> None:
    """It was answered 202: whatever becomes of its bell, it is decided."""
    ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
    (ident,) = rung(redis_server)
    comes_round(redis_server, ledger, ident)
    taken = ledger.leases.take(ident, holder="job:1", kind="notification")
    assert isinstance(taken, Taken), "and rung for again where its worker died"
    comes_round(redis_server, ledger, ident)


def test_what_is_held_or_over_is_left_alone(ledger: Ledger, redis_server: Redis) -> None:
    """Only a person moves on what is held."""
    for state in (State.HELD, State.ENDED):
        ident = ledger.rollbacks.open(NEW).id
        taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
        assert isinstance(taken, Taken)
        hold = Hold(taken.id, taken.lease, taken.token)
        if state is State.HELD:
            ledger.rollbacks.move(hold, (State.PLANNED,), state, {"reason": "", "detail": ""}, release=True)
            assert ledger.bells.wake_orphans() == ()
            ledger.rollbacks.cancel(ident, by="ann", why="")
        else:
            ledger.rollbacks.end(hold, {"outcome": End.REFUSED, "reason": "", "detail": ""}, changed=False)
        with redis_server.client() as client:
            assert client.zscore("rc:due", ident) is None


def test_a_rollback_that_lost_its_entry_is_found_woken_and_counted(ledger: Ledger, redis_server: Redis) -> None:
    """No script leaves one so; a hand in Redis may."""
    ident = ledger.rollbacks.open(NEW).id
    with redis_server.client() as client:
        client.delete("rc:due")
        client.sadd("rc:unfinished", "rgone")
    assert ledger.bells.wake_orphans() == (ident,)
    assert ledger.bells.wake_orphans() == ()
    assert ledger.health.orphans() == 1
    comes_round(redis_server, ledger, ident)
    with redis_server.client() as client:
        assert client.smembers("rc:unfinished") == {ident}, "and what is no record is no rollback"


def round_by_due(shop: Shop, site: Site) -> None:
    """Do what `due` alone leads to: every other bell is lost."""
    lose_every_bell(shop.server)
    site.ledger.bells.ring_due()
    for ident in rung(shop.server):
        run(site, ident, "job-1")


def fire(shop: Shop, site: Site, mode: Mode) -> None:
    """Hear an alert that a rule matches."""
    of = replace(rule(), mode=mode)
    shop.house.rules = Book(of)
    text = orjson.dumps(ALERT).decode()
    site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, text, "{}", (of.digest,))]))


def newest(site: Site) -> Rollback | None:
    """Return the newest rollback."""
    return next(iter(site.ledger.rollbacks.list(1)), None)


def test_from_the_alert_to_the_end_without_one_bell_of_its_own(shop: Shop) -> None:
    """Slower, and all the same."""

    def ended() -> Rollback | None:
        round_by_due(shop, site)
        found = newest(site)
        if found is not None and found.state is State.VERIFYING:
            site.ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
        return found if found is not None and found.state is State.ENDED else None

    with shop.site() as site:
        fire(shop, site, Mode.ACT)
        found = until(ended, within_s=30, what="it ends")
    assert found.outcome == End.RECOVERED
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)


def test_a_question_that_nobody_answers_ends_without_a_bell(shop: Shop) -> None:
    """Its end is an entry in `due` like any other."""

    def asks() -> Rollback | None:
        round_by_due(shop, site)
        found = newest(site)
        return found if found is not None and found.asked else None

    def ended() -> Rollback | None:
        round_by_due(shop, site)
        found = newest(site)
        return found if found is not None and found.state is State.ENDED else None

    with shop.site() as site:
        fire(shop, site, Mode.ASK)
        asked = until(asks, within_s=30, what="a person is asked")
        with shop.server.client() as client:
            seconds, micros = client.time()
            until_ms = int(seconds) * 1000 + int(micros) // 1000
            client.hset(f"rc:rollback:{asked.id}", "asked", orjson.dumps({**asked.asked, "until_ms": until_ms}))
            client.zadd("rc:due", {asked.id: until_ms})  # as its script wrote it, that long ago
        found = until(ended, within_s=30, what="nobody answers, and it is over")
    assert (found.outcome, found.reason, shop.running) == (End.EXPIRED, Reason.EXPIRED, "v1.3.0")
