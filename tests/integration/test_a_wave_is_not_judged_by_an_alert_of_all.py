"""An alert that names no instance is no evidence against one wave while others still run the release."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.shop_rules import Book, rule
from testbed.worksite import Shop

from controller.ledger import End, Episode, Hold, NewRollback, Rollback, State, Taken
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from controller.ledger.roster import Look
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


def commits(site: Site, taken: Taken) -> None:
    """Let one of them begin."""
    site.ledger.rollbacks.commit(
        hold(taken),
        effect=effect_of(taken.lease, "a1"),
        book=site.ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.3.0",
        fields={"plan": "{}", "campaign": CAMPAIGN, "release": "v1.3.0"},
        campaign=CAMPAIGN,
        line=start_line(CAMPAIGN, "canary", "shop"),
    )


def begins(site: Site, taken: Taken) -> None:
    """Let one of them be changed, an hour ago."""
    commits(site, taken)
    ago = {"changed_at": str(round(time.time() * 1000) - HOUR_MS)}
    site.ledger.rollbacks.move(hold(taken), (State.ACTING,), State.VERIFYING, ago, look_again_s=60)


def ends(site: Site, taken: Taken, outcome: End, *, changed: bool) -> None:
    """End one of them."""
    site.ledger.rollbacks.end(hold(taken), {"outcome": outcome, "reason": Reason.DENIED}, changed=changed)


def is_seen(site: Site, host: str, release: str) -> None:
    """Let the observer look at a host."""
    site.ledger.roster.seen([Look(f"hosts/default/shop/{host}", "shop", "", "default", (release,), "pin")])


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


SHARED, PROVEN = "inconclusive others-still-run-it", "ineffective still-firing"


def test_it_proves_something_once_all_are_changed(site: Site) -> None:
    """And not before: whoever waits for its wave, or is being changed for long, still runs the release."""
    first, second, third = (joins(site, host) for host in HOSTS)
    begins(site, first)
    assert judged(site, first) == SHARED
    begins(site, second)
    assert judged(site, first) == SHARED
    commits(site, third)
    assert judged(site, first) == SHARED, "the third is being changed, in the last wave"
    changed = {"changed_at": str(round(time.time() * 1000))}
    site.ledger.rollbacks.move(hold(third), (State.ACTING,), State.VERIFYING, changed, look_again_s=60)
    assert [judged(site, one) for one in (first, second)] == [PROVEN] * 2


def held(site: Site, taken: Taken) -> None:
    """Hold it before anything was changed."""
    commits(site, taken)
    site.ledger.rollbacks.move(hold(taken), (State.ACTING,), State.HELD, {}, look_again_s=None)


def undone(outcome: End) -> Callable[[Site, Taken], None]:
    """End it with what was there brought back."""

    def so(site: Site, taken: Taken) -> None:
        begins(site, taken)
        back = {"undone_as": str(outcome)}
        site.ledger.rollbacks.move(hold(taken), (State.VERIFYING,), State.UNDOING, back, look_again_s=60)
        ends(site, taken, outcome, changed=True)

    return so


def stands(outcome: End) -> Callable[[Site, Taken], None]:
    """End it with the change in place."""

    def so(site: Site, taken: Taken) -> None:
        begins(site, taken)
        ends(site, taken, outcome, changed=True)

    return so


def left(outcome: End) -> Callable[[Site, Taken], None]:
    """End it without a change."""
    return lambda site, taken: ends(site, taken, outcome, changed=False)


def somebody_changed_it(site: Site, taken: Taken) -> None:
    """End it without a change of ours; later it is seen to run another release."""
    left(End.REFUSED)(site, taken)
    is_seen(site, "web4", "v1.2.0")


BECOMES = {
    "it was denied": (left(End.REFUSED), SHARED),
    "it could not be reached": (left(End.FAILED), SHARED),
    "it is held, unchanged": (held, SHARED),
    "it did not get healthy, and was put back": (undone(End.FAILED), SHARED),
    "it did not help there, and was taken back": (undone(End.INEFFECTIVE), SHARED),
    "it did not help there, and stays": (stands(End.INEFFECTIVE), PROVEN),
    "nobody knows whether it helped there": (stands(End.INCONCLUSIVE), PROVEN),
    "it recovered": (stands(End.RECOVERED), PROVEN),
    "another release came there meanwhile": (left(End.SUPERSEDED), PROVEN),
    "it was denied, and somebody brought another": (somebody_changed_it, PROVEN),
}


@pytest.mark.parametrize(("becomes", "wanted"), BECOMES.values(), ids=BECOMES)
def test_the_last_of_one_wave_counts_by_what_it_runs(
    site: Site, becomes: Callable[[Site, Taken], None], wanted: str
) -> None:
    """All went back at once but one; the alert of all of them goes on."""
    first, second, third = (joins(site, host) for host in HOSTS)
    begins(site, first)
    begins(site, second)
    becomes(site, third)
    assert [judged(site, one) for one in (first, second)] == [wanted] * 2


@pytest.mark.parametrize(("release", "wanted"), [("v1.3.0", SHARED), ("v1.2.0", PROVEN)])
def test_who_could_never_be_looked_at_counts_as_it_was_last_seen(site: Site, release: str, wanted: str) -> None:
    """It is no member: nobody knows which campaign is its own."""
    is_seen(site, "web4", release)
    first, second = (joins(site, host) for host in HOSTS[:2])
    begins(site, first)
    begins(site, second)
    assert [judged(site, one) for one in (first, second)] == [wanted] * 2
