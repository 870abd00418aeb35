"""A held rollback is looked at once more for every alert that joins it: another release may have come.

Whatever its worker does meanwhile: what joined while the target was looked at, or before it was held, is not
forgotten with the move that holds it.
"""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import Heard, HeardAlert, Hold, Ledger, NewRollback, State, Taken
from controller.ledger.ids import effect_of

WEB2 = "hosts/default/shop/web2"


def join(ledger: Ledger, alert: str) -> str:
    """Have an alert ask for a rollback; returns the one that it opens, or joins."""
    ledger.hear(Heard.of([HeardAlert(alert, True, 1, "{}", "{}", ("d1",))]))
    return ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", (alert,), rule="r", rule_digest="d1")).id


def take(ledger: Ledger, ident: str) -> Taken:
    """Take the lease, which must be free."""
    taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    return taken


def to_held(ledger: Ledger, taken: Taken, come_from: State) -> None:
    """Hold it, or leave it held."""
    hold = Hold(taken.id, taken.lease, taken.token)
    ledger.rollbacks.move(hold, (come_from,), State.HELD, {}, release=True)


def acts(ledger: Ledger) -> Taken:
    """Bring a rollback past its commit."""
    taken = take(ledger, join(ledger, "aa"))
    hold = Hold(taken.id, taken.lease, taken.token)
    words = {"effect": effect_of(WEB2, "a1"), "book": taken.book, "from_release": "v1.3.0"}
    assert ledger.rollbacks.commit(hold, **words, fields={"plan": "{}"}).verdict == "ok"
    return taken


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    """Give the server."""
    return redis_server


def is_due(server: Redis, ident: str) -> bool:
    """Whether somebody is to look at it now."""
    with server.client() as client:
        at, (seconds, _) = client.zscore("rc:due", ident), client.time()
    return at is not None and at <= seconds * 1000 + 1000


def test_one_that_joins_while_it_is_looked_at(ledger: Ledger, server: Redis) -> None:
    """A joins and it is looked at; a release comes, and B joins, before the look is over."""
    held = acts(ledger)
    to_held(ledger, held, State.ACTING)
    assert not is_due(server, held.id)

    assert join(ledger, "bb") == held.id
    looks = take(ledger, held.id)
    assert join(ledger, "cc") == held.id
    to_held(ledger, looks, State.HELD)
    assert is_due(server, held.id)

    to_held(ledger, take(ledger, held.id), State.HELD)
    assert not is_due(server, held.id), "what was looked at for all of them waits for a person"


def test_one_that_joined_before_it_was_held(ledger: Ledger, server: Redis) -> None:
    """B is about the release that came under the step, and joined while that was under way."""
    acting = acts(ledger)
    assert join(ledger, "bb") == acting.id
    to_held(ledger, acting, State.ACTING)
    assert is_due(server, acting.id)

    to_held(ledger, take(ledger, acting.id), State.HELD)
    assert not is_due(server, acting.id)
