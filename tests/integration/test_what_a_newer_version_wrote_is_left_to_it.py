"""A rollback whose record a newer version wrote: a worker that does not know its format leaves it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from testbed.redis import Redis
from testbed.worksite import WEB2, Shop

from controller.ledger import End, MovedOn, Newer, NewRollback, State, Taken
from controller.ledger.records import FORMAT
from workers.runner.stretch import run_stretch
from workers.site import Site

HOUR_MS = 3_600_000
NEXT_VERSION = mock.patch("controller.ledger.leases.FORMAT", FORMAT + 1)


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


@pytest.fixture
def site(shop: Shop) -> Iterator[Site]:
    with shop.site() as site:
        yield site


def written_by_newer(shop: Shop, ident: str, **fields: str) -> dict[str, str]:
    """Let the next version have written the record; return it."""
    with shop.server.client() as client:
        client.hset(f"rc:rollback:{ident}", mapping={"format": str(FORMAT + 1), **fields})
        return dict(client.hgetall(f"rc:rollback:{ident}"))


def test_it_is_neither_held_nor_touched_and_the_newer_worker_goes_on(shop: Shop, site: Site) -> None:
    """Not one field is written, no lease is taken, it stays due; `status` says who has to come."""
    ident = shop.open(site.ledger)
    before = written_by_newer(shop, ident, state="of-the-next-version")
    run_stretch(site, ident, "job-1")
    with shop.server.client() as client:
        assert client.hgetall(f"rc:rollback:{ident}") == before
        assert not client.exists(f"rc:lease:{WEB2}"), "nobody is kept from it"
        assert client.zscore("rc:due", ident) is not None, "it is rung for again"
    (said,) = site.ledger.health.left_alone()
    assert f"{ident} ({WEB2})" in said

    written_by_newer(shop, ident, state="planned")
    with NEXT_VERSION:
        run_stretch(site, ident, "job-2")
    assert (shop.running, site.ledger.health.left_alone()) == ("v1.2.0", ())


def test_what_a_newer_worker_takes_is_of_its_format_from_then_on(shop: Shop, site: Site) -> None:
    """Whatever it writes under that lease; a record without a number is of the first format."""
    ident = shop.open(site.ledger)
    with shop.server.client() as client:
        client.hdel(f"rc:rollback:{ident}", "format")
        with NEXT_VERSION:
            site.ledger.leases.take(ident, holder="newer:1", kind="rollback")
        client.delete(f"rc:lease:{WEB2}")
        assert client.hget(f"rc:rollback:{ident}", "format") == str(FORMAT + 1)
    assert isinstance(site.ledger.leases.take(ident, holder="older:1", kind="rollback"), Newer)


def test_an_older_worker_at_work_is_not_disturbed(shop: Shop, site: Site) -> None:
    """The number is raised with the lease, and not before: nothing changes under the holder's hands."""
    ident = shop.open(site.ledger)
    site.ledger.leases.take(ident, holder="older:1", kind="rollback")
    with NEXT_VERSION:
        site.ledger.leases.take(ident, holder="newer:1", kind="rollback")
    with shop.server.client() as client:
        assert client.hget(f"rc:rollback:{ident}", "format") == str(FORMAT)


@pytest.mark.parametrize("state", ["acting", "parked", "verifying", "undoing", "waiting"])
def test_where_no_newer_worker_will_come_a_person_ends_it(shop: Shop, site: Site, state: str) -> None:
    """After a way back to the older version; not while one may still come, and never under somebody's hands."""
    ident = shop.open(site.ledger)
    written_by_newer(shop, ident, state=state, committed_at="1")
    run_stretch(site, ident, "job-1")
    if state != "waiting":
        with pytest.raises(MovedOn):
            site.ledger.rollbacks.cancel(ident, by="ann", why="")
    with shop.server.client() as client:
        client.hincrby("rc:newer", ident, -HOUR_MS)
    ended = site.ledger.rollbacks.cancel(ident, by="ann", why="we went back a version")
    assert (ended.state, ended.outcome) == (State.ENDED, End.CANCELLED)
    assert site.ledger.health.left_alone() == ()
    assert not site.ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", by="ann"), ring=False).joined


@pytest.mark.parametrize("odd", ["", "x", "-1", "1e999", "nan", "9" * 400, " 2"])
def test_a_number_that_nobody_wrote_keeps_nobody_away(shop: Shop, site: Site, odd: str) -> None:
    """It counts as the first format: what else is odd about such a record is judged as ever."""
    ident = shop.open(site.ledger)
    written_by_newer(shop, ident, format=odd)
    assert isinstance(site.ledger.leases.take(ident, holder="job:1", kind="rollback"), Taken)
