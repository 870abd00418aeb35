"""Leases and rollbacks in the ledger: one claim, one holder, fences that only grow, one effect per arrival."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import (
    Busy,
    End,
    Gone,
    Heard,
    HeardAlert,
    Hold,
    LeaseLost,
    Ledger,
    MovedOn,
    NewRollback,
    State,
    Taken,
)
from controller.ledger.ids import effect_of
from rules.decisions import Reason

WEB2 = "hosts/default/shop/web2"
NEW = NewRollback(instance=WEB2, service="shop", host="web2", rule="r", rule_digest="d1")


def take(ledger: Ledger, ident: str, holder: str = "job:1") -> Taken:
    """Take a rollback's lease, which must be free."""
    taken = ledger.leases.take(ident, holder=holder, kind="rollback")
    assert isinstance(taken, Taken)
    return taken


def hold(taken: Taken) -> Hold:
    """Return what a worker's writes rest on."""
    return Hold(taken.id, taken.lease, taken.token)


def commit(ledger: Ledger, taken: Taken, arrival: str = "a1", **changed: str) -> str:
    """Commit with what was read, and return the verdict."""
    words = {"effect": effect_of(WEB2, arrival), "book": taken.book, "from_release": "v1.3.0", **changed}
    return ledger.rollbacks.commit(hold(taken), **words, fields={"plan": "{}"}).verdict


def lapse(server: Redis) -> None:
    """Let the lease lapse, as its TTL would."""
    with server.client() as client:
        client.delete(f"rc:lease:{WEB2}")


def end(ledger: Ledger, taken: Taken, *, changed: bool) -> None:
    """End a rollback."""
    fields = {"outcome": End.RECOVERED, "reason": Reason.CLEARED, "detail": ""}
    ledger.rollbacks.end(hold(taken), fields, changed=changed)


def test_second_rollback_of_an_instance_joins_the_first(ledger: Ledger) -> None:
    """One unfinished rollback per instance: whoever opens another gets the one there is."""
    first, second = ledger.rollbacks.open(NEW), ledger.rollbacks.open(NEW)
    assert (second.id, second.joined) == (first.id, True)


def test_joining_adds_the_episode_as_evidence(ledger: Ledger) -> None:
    """The alerts behind a rollback are all remembered."""
    opened = ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", ("aa",)))
    ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", ("bb",)))
    found = ledger.rollbacks.get(opened.id)
    assert found is not None
    assert found.episodes == ("aa", "bb")


def test_lease_is_one_holders(ledger: Ledger) -> None:
    """While one holds the lease, another finds it busy."""
    opened = ledger.rollbacks.open(NEW)
    taken = take(ledger, opened.id)
    assert ledger.leases.take(opened.id, holder="job:2", kind="rollback") == Busy(taken.token)


def test_lost_reply_of_take_is_recognised(ledger: Ledger) -> None:
    """Asked again by the same holder, the lease is still its own: redis-py may send a command twice."""
    opened = ledger.rollbacks.open(NEW)
    assert take(ledger, opened.id).token == take(ledger, opened.id).token


def test_fences_only_grow(ledger: Ledger, redis_server: Redis) -> None:
    """Each new holder's fence is above every earlier one, also when the clock was set back."""
    opened = ledger.rollbacks.open(NEW)
    first = take(ledger, opened.id).fence
    lapse(redis_server)
    with redis_server.client() as client:
        client.set(f"rc:fence:{WEB2}", first + 10**9)
    assert take(ledger, opened.id, "job:2").fence == first + 10**9 + 1


def test_fence_is_raised_above_what_the_target_has_seen(ledger: Ledger) -> None:
    """After a failover the target may know a higher fence; the holder mints one above it and keeps the lease."""
    opened = ledger.rollbacks.open(NEW)
    taken = take(ledger, opened.id)
    raised = ledger.leases.raise_fence(WEB2, taken.token, taken.fence + 5000)
    assert raised is not None
    assert raised[1] == taken.fence + 5001
    assert ledger.leases.renew(WEB2, raised[0], opened.id)
    assert not ledger.leases.renew(WEB2, taken.token, opened.id)


def test_nothing_is_written_without_the_lease(ledger: Ledger, redis_server: Redis) -> None:
    """A holder whose lease lapsed can neither renew, note, commit, move nor end."""
    opened = ledger.rollbacks.open(NEW)
    stale = take(ledger, opened.id)
    lapse(redis_server)
    assert not ledger.leases.renew(WEB2, stale.token, opened.id)
    with pytest.raises(LeaseLost):
        ledger.rollbacks.note(hold(stale), "", {"kind": "intent"})
    with pytest.raises(LeaseLost):
        commit(ledger, stale)
    with pytest.raises(LeaseLost):
        ledger.rollbacks.move(hold(stale), (State.PLANNED,), State.WAITING, {})
    with pytest.raises(LeaseLost):
        end(ledger, stale, changed=False)
    found = ledger.rollbacks.get(opened.id)
    assert found is not None
    assert found.state is State.PLANNED


def test_one_effect_per_arrival(ledger: Ledger) -> None:
    """A second rollback of the same arrival is refused at its commit; another arrival may go back."""
    first = take(ledger, ledger.rollbacks.open(NEW).id)
    assert commit(ledger, first) == "ok"
    end(ledger, first, changed=True)
    second = take(ledger, ledger.rollbacks.open(NEW).id, "job:2")
    assert commit(ledger, second) == "effect"
    assert commit(ledger, second, arrival="a2") == "ok"


def test_end_without_a_change_gives_the_effect_back(ledger: Ledger) -> None:
    """What was reserved and not used may be used by the next rollback."""
    first = take(ledger, ledger.rollbacks.open(NEW).id)
    assert commit(ledger, first) == "ok"
    end(ledger, first, changed=False)
    second = take(ledger, ledger.rollbacks.open(NEW).id, "job:2")
    assert second.left == {}
    assert commit(ledger, second) == "ok"


def test_commit_is_refused_when_the_book_moved(ledger: Ledger) -> None:
    """Guards were asked with one version of the book; with another they are asked again."""
    taken = take(ledger, ledger.rollbacks.open(NEW).id)
    assert commit(ledger, taken, book="99") == "book"
    assert commit(ledger, taken) == "ok"


def test_commit_is_recognised_when_its_reply_was_lost(ledger: Ledger) -> None:
    """The same commit asked twice is one."""
    taken = take(ledger, ledger.rollbacks.open(NEW).id)
    assert [commit(ledger, taken), commit(ledger, taken)] == ["ok", "ok"]


def test_commit_is_refused_when_every_alert_resolved(ledger: Ledger) -> None:
    """Up to the commit a resolve wins; one alert that still fires is enough to go on."""
    for fp in ("aa", "bb"):
        ledger.hear(Heard.of([HeardAlert(fp, True, 1, "{}", "{}", ("d1",))]))
    taken = take(ledger, ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", ("aa", "bb"))).id)
    ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
    ledger.hear(Heard.of([HeardAlert("bb", False, 1, "{}", "{}", ())]))
    assert commit(ledger, taken) == "resolved"
    ledger.hear(Heard.of([HeardAlert("bb", True, 9 * 10**12, "{}", "{}", ("d1",))]))
    assert commit(ledger, taken) == "ok"


def test_cancel_before_the_first_change_ends_and_stops_the_commit(ledger: Ledger) -> None:
    """A person's cancel wins up to the commit, though a worker has the lease already."""
    opened = ledger.rollbacks.open(NEW)
    taken = take(ledger, opened.id)
    assert ledger.rollbacks.cancel(opened.id, by="alice", why="").outcome == End.CANCELLED
    assert commit(ledger, taken) == "moved"
    with pytest.raises(MovedOn):
        end(ledger, taken, changed=False)


def test_cancel_after_the_commit_is_too_late(ledger: Ledger) -> None:
    """Once something may have changed, the rollback finishes."""
    taken = take(ledger, ledger.rollbacks.open(NEW).id)
    commit(ledger, taken)
    with pytest.raises(MovedOn, match="acting"):
        ledger.rollbacks.cancel(taken.id, by="alice", why="")


def test_end_clears_the_claim_and_stops_ringing(ledger: Ledger, redis_server: Redis) -> None:
    """An ended rollback is asked about no more, and its instance is free for the next."""
    taken = take(ledger, ledger.rollbacks.open(NEW).id)
    end(ledger, taken, changed=False)
    assert isinstance(ledger.leases.take(taken.id, holder="job:2", kind="rollback"), Gone)
    with redis_server.client() as client:
        assert client.zcard("rc:due") == 0
        assert not client.exists(f"rc:claim:{WEB2}", f"rc:lease:{WEB2}")
    assert not ledger.rollbacks.open(NEW).joined


def test_journal_is_chained_and_forks_are_refused(ledger: Ledger) -> None:
    """Each entry rests on the one before; an entry on an old head is refused, a repeated one is one entry."""
    taken = take(ledger, ledger.rollbacks.open(NEW).id)
    head = ledger.rollbacks.note(hold(taken), "", {"n": 1})
    assert ledger.rollbacks.note(hold(taken), "", {"n": 1}) == head
    with pytest.raises(LeaseLost):
        ledger.rollbacks.note(hold(taken), "", {"n": 2})
    ledger.rollbacks.note(hold(taken), head, {"n": 2})
    assert ledger.rollbacks.journal(taken.id) == ({"n": 1}, {"n": 2})


def test_due_rings_again_until_somebody_takes_it(ledger: Ledger, redis_server: Redis) -> None:
    """A bell that got lost is rung again by one reconciler; a bell still in the queue is not rung twice."""
    opened = ledger.rollbacks.open(NEW)
    with redis_server.client() as client:
        client.zadd("rc:due", {opened.id: 1})
        assert ledger.bells.ring_due() == 0, "its bell is still in the queue"
        client.delete("rq:queue:rollback")
        client.zadd("rc:due", {opened.id: 1})
        assert [ledger.bells.ring_due(), ledger.bells.ring_due()] == [1, 0]
        assert client.lrange("rq:queue:rollback", 0, -1) == [f"{opened.id}-2"]


def test_resolve_wakes_the_rollback_behind_it(ledger: Ledger, redis_server: Redis) -> None:
    """A rollback that waits for its alert to clear is looked at as soon as the resolve is heard."""
    ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
    opened = ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", ("aa",)))
    with redis_server.client() as client:
        client.zadd("rc:due", {opened.id: 9 * 10**12})
        ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
        client.delete("rq:queue:rollback")
    assert ledger.bells.ring_due() >= 1
