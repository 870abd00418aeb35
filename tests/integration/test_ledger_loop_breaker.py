"""The loop-breaker in the ledger: what opens it, what resets it, who is told, and what ends it."""

from __future__ import annotations

import itertools

import pytest
from testbed.redis import Redis

from controller.ledger import End, Hold, Ledger, NewRollback, State, Taken
from controller.ledger.ids import effect_of
from controller.ledger.outbox import written
from rules.decisions import Reason
from rules.facts import Breaker
from rules.telling import texts

SERVICE = "shop"
_numbers = itertools.count(1)


def begin(ledger: Ledger, *, by: str = "", service: str = SERVICE) -> Hold:
    """Open a rollback of a rule, or of a person, and commit it."""
    rule = "" if by else "canary"
    instance = f"hosts/default/{service}/web{next(_numbers)}"
    new = NewRollback(instance, service, "web", rule=rule, rule_digest="d1" if rule else "", by=by)
    taken = ledger.leases.take(ledger.rollbacks.open(new).id, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(taken.id, taken.lease, taken.token)
    effect, book = effect_of(instance, "a1"), ledger.booking.read("", service).book.version
    assert ledger.rollbacks.commit(hold, effect=effect, book=book, from_release="v3", fields={}).verdict == "ok"
    return hold


def ends(ledger: Ledger, outcome: str, *, by: str = "", service: str = SERVICE) -> str:
    """Have a rollback come to something: an outcome, or `held REASON`. Returns its id."""
    hold = begin(ledger, by=by, service=service)
    loops = written(texts.looping(service, why="{why}", rollback=hold.id))
    if outcome.startswith("held "):
        fields = {"reason": outcome.removeprefix("held "), "detail": ""}
        ledger.rollbacks.move(hold, (State.ACTING,), State.HELD, fields, release=True, if_it_loops=loops)
    else:
        fields = {"outcome": outcome, "reason": Reason.STILL_FIRING, "detail": ""}
        ledger.rollbacks.end(hold, fields, changed=True, if_it_loops=loops)
    return hold.id


@pytest.mark.parametrize(
    ("came", "opens"),
    [
        (["ineffective"], False),
        (["ineffective", "ineffective"], True),
        (["ineffective", "inconclusive", "ineffective"], True),
        (["ineffective", "recovered", "ineffective"], False),
        (["failed", "failed"], False),
        (["failed", "failed", "failed"], True),
        (["failed", "ineffective", "failed"], False),
        (["failed", "failed", "recovered", "failed"], False),
        (["failed", f"held {Reason.UNKNOWN_STATE}", f"held {Reason.DEADLINE}"], True),
        ([f"held {Reason.CHANGED_MEANWHILE}"] * 3, False),
        ([f"held {Reason.RECORD_UNREADABLE}"] * 3, False),
        (["inconclusive", "refused", "resolved", "superseded", "cancelled", "expired"], False),
    ],
    ids=str,
)
def test_what_opens_it(ledger: Ledger, came: list[str], opens: bool) -> None:
    """Two that did not help, in a row, or three failures, and none that recovered in between."""
    for outcome in came:
        ends(ledger, outcome)
    assert (SERVICE in ledger.hands.breakers()) == opens
    assert (SERVICE in ledger.booking.read("", SERVICE).book.breakers) == opens


def test_it_says_why_and_tells_people_once(ledger: Ledger) -> None:
    """With the rollbacks that led to it, and what ends it, in the same write; its record says so."""
    first, second = ends(ledger, End.INEFFECTIVE), ends(ledger, End.INEFFECTIVE)
    (found,) = ledger.hands.breakers().values()
    why = f"2 rollbacks in a row did not help: {first}, {second}"
    assert found == Breaker(why, found.at_ms, (first, second))
    ends(ledger, End.INEFFECTIVE)
    (message,) = [told.message for told in ledger.outbox.recent(10)]
    assert why in message.body
    assert "rollbackctl resume --service shop" in message.body
    opened = [rollback.id for rollback in ledger.rollbacks.list() if rollback.opened_breaker]
    assert opened == [second]
    assert ledger.hands.breakers()[SERVICE] == found


def test_it_is_of_one_service_and_of_rules_only(ledger: Ledger) -> None:
    """What a person tried, and what went wrong elsewhere, are not counted; nor do they reset it."""
    ends(ledger, End.INEFFECTIVE)
    ends(ledger, End.INEFFECTIVE, service="blog")
    ends(ledger, End.INEFFECTIVE, by="ann")
    ends(ledger, End.RECOVERED, by="ann")
    assert ledger.hands.breakers() == {}
    ends(ledger, End.INEFFECTIVE)
    assert ledger.hands.breakers().keys() == {SERVICE}


def test_one_that_is_held_is_counted_once(ledger: Ledger, redis_server: Redis) -> None:
    """Whatever a person makes of it afterwards."""
    for _ in range(2):
        ident = ends(ledger, f"held {Reason.UNKNOWN_STATE}")
        ledger.rollbacks.cancel(ident, by="ann", why="mended by hand")
    with redis_server.client() as client:
        counted = client.hget("rc:breakers", SERVICE)
    assert '"failed":2' in str(counted)
    assert ledger.hands.breakers() == {}


def test_a_reply_that_was_lost_counts_once(ledger: Ledger) -> None:
    """The same end, asked for again, is the same end."""
    hold = begin(ledger)
    fields = {"outcome": "ineffective", "reason": "still-firing", "detail": ""}
    ledger.rollbacks.end(hold, fields, changed=True)
    with pytest.raises(Exception, match=r"lease is lost|rollback is ended"):
        ledger.rollbacks.end(hold, fields, changed=True)
    assert ledger.hands.breakers() == {}


def test_only_a_person_ends_it(ledger: Ledger, redis_server: Redis) -> None:
    """One that was under way and recovers does not; `resume` does, is audited, and the count begins anew."""
    under_way = begin(ledger)
    ends(ledger, End.INEFFECTIVE)
    ends(ledger, End.INEFFECTIVE)
    recovered = {"outcome": "recovered", "reason": "cleared", "detail": ""}
    ledger.rollbacks.end(under_way, recovered, changed=True)
    assert ledger.hands.breakers().keys() == {SERVICE}

    version = ledger.booking.read("", SERVICE).book.version
    assert ledger.hands.close_breaker(SERVICE, "ann", "the database was full")
    assert not ledger.hands.close_breaker(SERVICE, "ann")
    assert ledger.booking.read("", SERVICE).book.version != version
    (deed,) = ledger.hands.deeds()
    assert (deed.by, deed.what, deed.about) == ("ann", "resume loop-breaker", "service shop")
    ends(ledger, End.INEFFECTIVE)
    assert ledger.hands.breakers() == {}


def test_what_waits_is_woken_when_it_ends(ledger: Ledger, redis_server: Redis) -> None:
    """It is judged anew at once, and not when its turn comes."""
    ends(ledger, End.INEFFECTIVE)
    ends(ledger, End.INEFFECTIVE)
    opened = ledger.rollbacks.open(NewRollback("hosts/default/shop/web0", SERVICE, "web0", rule="canary")).id
    taken = ledger.leases.take(opened, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(taken.id, taken.lease, taken.token)
    waits = {"reason": str(Reason.LOOP_BREAKER), "detail": ""}
    ledger.rollbacks.move(hold, (State.PLANNED,), State.WAITING, waits, look_again_s=60, release=True)
    ledger.hands.close_breaker(SERVICE, "ann")
    with redis_server.client() as client:
        assert client.zscore("rc:due", opened) <= ledger.booking.now_ms()
