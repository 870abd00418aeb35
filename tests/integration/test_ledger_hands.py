"""A person's hand in the ledger: pauses, locks and demotions end, are audited, and make guards be asked again."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Ledger, LockHeld, NewRollback
from rules.facts import Demotion, Lock, Pause

WEB2 = "hosts/default/shop/web2"
HOUR_S = 3600.0


def book(redis_server: Redis) -> int:
    with redis_server.client() as client:
        return int(client.hget("rc:book", "version") or 0)


def test_a_pause_says_who_why_and_until_when(ledger: Ledger) -> None:
    """Without an end it stands until it is resumed; the same scope again takes the place of what was said."""
    ledger.hands.pause("service shop", "ann", "sale", None)
    ledger.hands.pause("", "bob", "network work", None)
    first = ledger.hands.pause("", "bob", "network work, longer", HOUR_S)
    assert first.until_ms is not None
    assert ledger.hands.pauses() == (
        Pause("", "bob", "network work, longer", first.until_ms),
        Pause("service shop", "ann", "sale", None),
    )
    assert ledger.hands.resume("", "ann")
    assert [pause.scope for pause in ledger.hands.pauses()] == ["service shop"]
    assert not ledger.hands.resume("", "ann")


def test_what_others_read_has_a_fixed_shape(ledger: Ledger, redis_server: Redis) -> None:
    """The scripts that judge read these hashes as they are."""
    ledger.hands.pause("rule canary", "ann", "looks odd", None)
    token = ledger.hands.lock("shop", "ci", "deploy 7", 60)
    ledger.hands.demote("canary", "ineffective", "r1")
    with redis_server.client() as client:
        pause = orjson.loads(client.hget("rc:pauses", "rule canary") or b"")
        lock = orjson.loads(client.hget("rc:locks", "shop") or b"")
        demoted = orjson.loads(client.hget("rc:demoted", "canary") or b"")
    assert pause == {"by": "ann", "why": "looks odd", "until_ms": None, "at_ms": pause["at_ms"]}
    assert lock == {"by": "ci", "why": "deploy 7", "token": token, "until_ms": lock["until_ms"]}
    assert demoted == {"why": "ineffective", "at_ms": demoted["at_ms"], "rollback": "r1"}
    assert all(isinstance(n, int) for n in (pause["at_ms"], lock["until_ms"], demoted["at_ms"]))


def test_a_pause_ends_by_itself_and_is_cleaned_away(ledger: Ledger, redis_server: Redis) -> None:
    """It is not shown once its time is over, and the next change takes it out."""
    ledger.hands.pause("service shop", "ann", "", 0.05)
    until(lambda: not ledger.hands.pauses(), within_s=5, what="the pause ends")
    assert not ledger.hands.resume("service shop", "ann")
    with redis_server.client() as client:
        assert client.hgetall("rc:pauses") == {}


def test_a_service_has_one_holder(ledger: Ledger) -> None:
    """The second is told who has it and until when; another service is free."""
    token = ledger.hands.lock("shop", "ci", "deploy 7", 60)
    with pytest.raises(LockHeld, match=r"shop is locked by ci \(deploy 7\) until ") as held:
        ledger.hands.lock("shop", "ann", "", 60)
    assert (held.value.lock.by, held.value.lock.why) == ("ci", "deploy 7")
    ledger.hands.lock("billing", "ann", "", 60)
    assert {name: lock.by for name, lock in ledger.hands.locks().items()} == {"billing": "ann", "shop": "ci"}
    assert ledger.hands.unlock("shop", token)
    assert not ledger.hands.unlock("shop", token)
    ledger.hands.lock("shop", "ann", "", 60)


def test_a_lock_whose_holder_died_ends_by_itself(ledger: Ledger) -> None:
    """And cannot be renewed afterwards: somebody else may have begun since."""
    token = ledger.hands.lock("shop", "ci", "", 0.05)
    until(lambda: not ledger.hands.locks(), within_s=5, what="the lock ends")
    assert not ledger.hands.renew("shop", token, 60)
    assert ledger.hands.locks() == {}
    other = ledger.hands.lock("shop", "ann", "", 60)
    assert not ledger.hands.renew("shop", token, 60)
    assert not ledger.hands.unlock("shop", token)
    assert ledger.hands.renew("shop", other, 60)


def test_a_lock_that_is_renewed_stands(ledger: Ledger) -> None:
    """For so long from the renewal."""
    token = ledger.hands.lock("shop", "ci", "", 10)
    before = ledger.hands.locks()["shop"]
    assert ledger.hands.renew("shop", token, HOUR_S)
    after = ledger.hands.locks()["shop"]
    assert (before.until_ms or 0) + 3_000_000 < (after.until_ms or 0)
    assert after == Lock("ci", "", after.until_ms)


def test_a_person_may_take_a_lock_away(ledger: Ledger) -> None:
    """Its holder learns it from the next renewal; an empty token takes nothing."""
    token = ledger.hands.lock("shop", "ci", "", 60)
    assert not ledger.hands.unlock("shop", "")
    assert ledger.hands.break_lock("shop", "ann", "the pipeline hangs") == "ci"
    assert ledger.hands.break_lock("shop", "ann") is None
    assert not ledger.hands.renew("shop", token, 60)


def test_a_demoted_rule_asks_until_a_person_promotes_it(ledger: Ledger) -> None:
    """With the rollback that cost it the trust."""
    ledger.hands.demote("canary", "r1 was ineffective", "r1")
    (found,) = ledger.hands.demotions().items()
    assert found == ("canary", Demotion("r1 was ineffective", found[1].at_ms, "r1"))
    assert ledger.hands.promote("canary", "ann")
    assert ledger.hands.demotions() == {}
    assert not ledger.hands.promote("canary", "ann")


def _lock(ledger: Ledger) -> str:
    return ledger.hands.lock("shop", "ci", "", 60)


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger: ledger.hands.pause("", "ann", "", None),
        lambda ledger: ledger.hands.resume("service shop", "ann"),
        lambda ledger: ledger.hands.lock("billing", "ci", "", 60),
        lambda ledger: ledger.hands.break_lock("shop", "ann"),
        lambda ledger: ledger.hands.demote("other", "", "r1"),
        lambda ledger: ledger.hands.promote("canary", "ann"),
    ],
    ids=["pause", "resume", "lock", "unlock", "demote", "promote"],
)
def test_every_change_makes_guards_be_asked_again(
    ledger: Ledger, redis_server: Redis, change: Callable[[Ledger], object]
) -> None:
    """A rollback that was allowed a moment ago does not commit over it. What changed nothing does not count."""
    ledger.hands.pause("service shop", "ann", "", None)
    _lock(ledger)
    ledger.hands.demote("canary", "", "r1")
    before = book(redis_server)
    change(ledger)
    assert book(redis_server) == before + 1
    assert not ledger.hands.resume("rule nobody-paused", "ann")
    assert book(redis_server) == before + 1


@pytest.mark.parametrize("verb", ["resume", "unlock", "promote"])
def test_what_waited_is_judged_anew_at_once(ledger: Ledger, redis_server: Redis, verb: str) -> None:
    """Every rollback that waits is due now, and no other is touched."""
    waiting, acting = (
        ledger.rollbacks.open(
            NewRollback(f"hosts/default/shop/web{n}", "shop", f"web{n}", rule="canary"), ring=False
        ).id
        for n in (1, 2)
    )
    ledger.hands.pause("", "ann", "", None)
    token = _lock(ledger)
    ledger.hands.demote("canary", "", "r1")
    with redis_server.client() as client:
        for ident, state in ((waiting, "waiting"), (acting, "acting")):
            client.hset(f"rc:rollback:{ident}", "state", state)
            client.zadd("rc:due", {ident: 9e15})
        {
            "resume": lambda: ledger.hands.resume("", "ann"),
            "unlock": lambda: ledger.hands.unlock("shop", token),
            "promote": lambda: ledger.hands.promote("canary", "ann"),
        }[verb]()
        seconds = int(client.time()[0])
        due = dict(client.zrange("rc:due", 0, -1, withscores=True))
    assert due[waiting] <= (seconds + 1) * 1000
    assert due[acting] == 9e15


def test_what_persons_did_is_kept(ledger: Ledger) -> None:
    """Who, what, to what and why, the newest first; renewals are no deeds."""
    ledger.hands.pause("service shop", "ann", "sale", HOUR_S)
    token = ledger.hands.lock("shop", "ci", "deploy 7", 60)
    ledger.hands.renew("shop", token, 60)
    ledger.hands.unlock("shop", token)
    ledger.hands.resume("service shop", "bob", "sale is over")
    ledger.hands.note("ann", "approve", "r1")
    told = [(deed.by, deed.what, deed.about, deed.why) for deed in ledger.hands.deeds()]
    assert told == [
        ("ann", "approve", "r1", ""),
        ("bob", "resume", "service shop", "sale is over"),
        ("ci", "unlock", "shop", ""),
        ("ci", "lock", "shop", "deploy 7"),
        ("ann", "pause", "service shop", "sale"),
    ]
    assert len(ledger.hands.deeds(2)) == 2
