"""A record that ended, or is gone, is written no more: its seal stands for what it said, and nobody looks again.

A person may end a planned rollback while a worker looks at its target; what that worker, or whoever knows the id,
says afterwards comes too late.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from testbed.redis import Redis

from controller.ledger import Heard, HeardAlert, Hold, LeaseLost, Ledger, NewRollback, State, Taken

WEB2 = "hosts/default/shop/web2"
NEW = NewRollback(WEB2, "shop", "web2", ("aa",), rule="r", rule_digest="d1")


@pytest.fixture
def hold(ledger: Ledger) -> Hold:
    """Give the lease of a rollback that a person cancels under its worker."""
    ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
    taken = ledger.leases.take(ledger.rollbacks.open(NEW).id, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    assert ledger.rollbacks.cancel(taken.id, by="ann", why="").state is State.ENDED
    return Hold(taken.id, taken.lease, taken.token)


def kept(server: Redis, ident: str) -> Mapping[str, str]:
    """Return the record as it stands."""
    with server.client() as client:
        found: Mapping[str, str] = client.hgetall(f"rc:rollback:{ident}")
    return found


def due(server: Redis) -> list[str]:
    """Return what is looked at again."""
    with server.client() as client:
        found: list[str] = client.zrange("rc:due", 0, -1)
    return found


def test_it_joins_no_campaign(ledger: Ledger, redis_server: Redis, hold: Hold) -> None:
    """The worker is told that it has lost it, and no campaign counts it."""
    before = kept(redis_server, hold.id)
    with pytest.raises(LeaseLost):
        ledger.booking.enlist(hold, "c1", {"service": "shop"})
    assert kept(redis_server, hold.id) == before
    with redis_server.client() as client:
        assert not client.exists("rc:members:c1", "rc:campaign:c1")


def test_a_record_that_is_gone_is_not_begun_anew(ledger: Ledger, redis_server: Redis, hold: Hold) -> None:
    """A failover forgot it, or it is older than anything is kept: neither campaign nor journal brings it back."""
    with redis_server.client() as client:
        client.delete(f"rc:rollback:{hold.id}")
    with pytest.raises(LeaseLost):
        ledger.booking.enlist(hold, "c1", {"service": "shop"})
    with pytest.raises(LeaseLost):
        ledger.rollbacks.note(hold, "", {"kind": "prepared"})
    assert kept(redis_server, hold.id) == {}


def test_its_lease_is_kept_and_nobody_is_woken(ledger: Ledger, redis_server: Redis, hold: Hold) -> None:
    """The worker beside it renews until it notices."""
    assert ledger.leases.renew(hold.lease, hold.token, hold.id)
    assert hold.id not in due(redis_server)


def test_a_late_resolve_wakes_nobody(ledger: Ledger, redis_server: Redis, hold: Hold) -> None:
    """Also where a bell was left for it by somebody who did not know."""
    before = kept(redis_server, hold.id)
    with redis_server.client() as client:
        client.zadd("rc:due", {hold.id: 9 * 10**12})
    ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
    assert kept(redis_server, hold.id) == before
    with redis_server.client() as client:
        assert client.zscore("rc:due", hold.id) == 9 * 10**12


def test_its_rule_is_demoted_by_it_no_more(ledger: Ledger, redis_server: Redis, hold: Hold) -> None:
    """A worker that lost its lease may say so after the end; whoever ended it has said what there was to say."""
    before = kept(redis_server, hold.id)
    ledger.hands.demote("r", "it did not help", hold.id)
    assert kept(redis_server, hold.id) == before
