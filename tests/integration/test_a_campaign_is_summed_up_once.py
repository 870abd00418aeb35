"""What came of a campaign is told once, whoever of its instances ends last, and also where two end together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.shop_rules import Book, rule
from testbed.worksite import Shop

from controller.ledger import End, Hold, NewRollback, Rollback, State, Taken
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from rules.decisions import Reason
from rules.telling import Kind
from workers.runner.consequences import Consequences
from workers.site import Site

CAMPAIGN = "c1"


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis) -> Iterator[Site]:
    """Give a worker's site."""
    shop = Shop(tmp_path, redis_server)
    shop.house.rules = Book(rule())
    with shop.site() as site:
        yield site


def hold(taken: Taken) -> Hold:
    """Return what a worker's writes rest on."""
    return Hold(taken.id, taken.lease, taken.token)


def joins(site: Site, host: str) -> Taken:
    """Open a rollback that waits for its wave."""
    of = rule()
    new = NewRollback(f"hosts/default/shop/{host}", "shop", host, rule=of.name, rule_digest=of.digest)
    ident = site.ledger.rollbacks.open(new).id
    taken = site.ledger.leases.take(ident, holder=f"job-{host}:1", kind="rollback")
    assert isinstance(taken, Taken)
    site.ledger.booking.enlist(hold(taken), CAMPAIGN, {})
    return taken


def verifying(site: Site, host: str) -> Taken:
    """Let one of the campaign's instances be changed."""
    taken = joins(site, host)
    site.ledger.rollbacks.commit(
        hold(taken),
        effect=effect_of(taken.lease, "a1"),
        book=site.ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.3.0",
        fields={"plan": "{}"},
        campaign=CAMPAIGN,
        line=start_line(CAMPAIGN, "canary", "shop"),
    )
    site.ledger.rollbacks.move(hold(taken), (State.ACTING,), State.VERIFYING, {}, look_again_s=60)
    return taken


def record(site: Site, taken: Taken) -> Rollback:
    """Read a record."""
    found = site.ledger.rollbacks.get(taken.id)
    assert found is not None
    return found


def end(site: Site, taken: Taken, outcome: End, *, changed: bool = True) -> None:
    """End a rollback."""
    fields = {"outcome": outcome, "reason": Reason.CLEARED, "detail": ""}
    site.ledger.rollbacks.end(hold(taken), fields, changed=changed)


def told(site: Site) -> list[str]:
    """Return the texts that sum a campaign up."""
    return [one.message.body for one in site.ledger.outbox.recent(20) if one.message.kind is Kind.ENDED]


def test_two_that_end_together_are_told_together(site: Site) -> None:
    """One resolve ends both: each worker looks while the other has not written its end yet."""
    both = [verifying(site, "web1"), verifying(site, "web2")]
    consequences = Consequences(site, None)
    for taken in both:
        consequences.ended(record(site, taken), End.RECOVERED, "")
    assert told(site) == []
    for taken in both:
        end(site, taken, End.RECOVERED)
    for taken in both:
        consequences.closed(record(site, taken))
    (text,) = told(site)
    assert "2 recovered" in text


def test_the_last_to_recover_tells_before_its_end_and_not_again_after_it(site: Site) -> None:
    """Killed between the two, it has told all the same."""
    first, second = verifying(site, "web1"), verifying(site, "web2")
    end(site, first, End.RECOVERED)
    consequences = Consequences(site, None)
    consequences.ended(record(site, second), End.RECOVERED, "")
    assert len(told(site)) == 1
    end(site, second, End.RECOVERED)
    consequences.closed(record(site, second))
    assert len(told(site)) == 1


def test_one_that_waited_and_was_not_needed_lets_the_end_be_told(site: Site) -> None:
    """Its alert resolved before its wave opened: with that the campaign is over."""
    first, second = verifying(site, "web1"), joins(site, "web2")
    consequences = Consequences(site, None)
    consequences.ended(record(site, first), End.RECOVERED, "")
    end(site, first, End.RECOVERED)
    consequences.closed(record(site, first))
    assert told(site) == []
    end(site, second, End.RESOLVED, changed=False)
    consequences.closed(record(site, second))
    assert len(told(site)) == 1
