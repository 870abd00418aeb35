"""An alert that names no instance is no evidence against one wave while others of its campaign wait for theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.shop_rules import Book, rule
from testbed.worksite import Shop

from controller.ledger import End, Episode, Hold, NewRollback, Rollback, State, Taken
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from rules.alerts import Alert
from rules.decisions import Reason
from rules.inventory import Host
from rules.rule import HostsTarget
from rules.verification import Verdict, judge
from workers.site import Site
from workers.terms import Terms
from workers.verifying import Verifying

OF_ALL = replace(rule(), target=replace(rule().target, hosts=HostsTarget(None)))
HOSTS = ("web2", "web3", "web4")
CAMPAIGN = "c1"
HOUR_MS = 3_600_000


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis) -> Iterator[Site]:
    """Give a worker's site that looks after three canaries."""
    shop = Shop(tmp_path, redis_server)
    shop.with_service(hosts=tuple(Host(name, "127.0.0.1", {"track": "canary"}) for name in HOSTS))
    shop.house.rules = Book(OF_ALL)
    with shop.site() as site:
        yield site


def hold(taken: Taken) -> Hold:
    """Return what a worker's writes rest on."""
    return Hold(taken.id, taken.lease, taken.token)


def joins(site: Site, host: str) -> Taken:
    """Open a rollback that waits for its wave."""
    new = NewRollback(f"hosts/default/shop/{host}", "shop", host, rule=OF_ALL.name, rule_digest=OF_ALL.digest)
    taken = site.ledger.leases.take(site.ledger.rollbacks.open(new).id, holder=f"{host}:1", kind="rollback")
    assert isinstance(taken, Taken)
    site.ledger.booking.enlist(hold(taken), CAMPAIGN, {})
    return taken


def begins(site: Site, taken: Taken) -> None:
    """Let one of them be changed, an hour ago."""
    site.ledger.rollbacks.commit(
        hold(taken),
        effect=effect_of(taken.lease, "a1"),
        book=site.ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.3.0",
        fields={"plan": "{}", "changed_at": str(round(time.time() * 1000) - HOUR_MS), "campaign": CAMPAIGN},
        campaign=CAMPAIGN,
        line=start_line(CAMPAIGN, "canary", "shop"),
    )
    site.ledger.rollbacks.move(hold(taken), (State.ACTING,), State.VERIFYING, {}, look_again_s=60)


def judged(site: Site, taken: Taken) -> str:
    """Judge one of them with the alert of all of them going on."""
    found = site.ledger.rollbacks.get(taken.id)
    assert isinstance(found, Rollback)
    now_ms = site.ledger.booking.now_ms()
    fires = Alert("aa", "firing", {"alertname": "HighErrorRate", "service": "shop"}, {}, now_ms - 2 * HOUR_MS)
    verifying = Verifying(site)
    try:
        episode = Episode(
            "aa", open=True, first_ms=fires.starts_at_ms, heard_ms=now_ms, closed_ms=None, alert=fires
        )
        verdict = judge(verifying.look(found, Terms(cleared_within_s=60), [episode], now_ms))
    finally:
        verifying.close()
    assert isinstance(verdict, Verdict)
    return f"{verdict.outcome} {verdict.reason}"


def test_it_proves_something_once_the_last_wave_has_begun(site: Site) -> None:
    """Who left without a change waits no more."""
    first, second, third = (joins(site, host) for host in HOSTS)
    begins(site, first)
    assert judged(site, first) == "inconclusive others-still-run-it"
    begins(site, second)
    assert judged(site, first) == "inconclusive others-still-run-it"
    ended = {"outcome": End.REFUSED, "reason": Reason.DENIED, "detail": ""}
    site.ledger.rollbacks.end(hold(third), ended, changed=False)
    assert [judged(site, one) for one in (first, second)] == ["ineffective still-firing"] * 2
