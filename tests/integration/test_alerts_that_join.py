"""Alerts that join a rollback which turns out to be about something else are asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.worksite import TERMS, WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, State
from rules.decisions import Reason
from rules.errors import Transient
from rules.inventory import Host
from workers.jobs import run
from workers.site import Site


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that runs v1.3.0, with v1.4.0 to come."""
    with Shop(tmp_path, redis_server).serving() as shop:
        shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),))
        release = tmp_path / "releases" / "v1.4.0" / "bin"
        release.mkdir(parents=True)
        (release / "shop").write_text("#!/bin/sh\n")
        (release / "shop").chmod(0o755)
        yield shop


def hear(site: Site, fingerprint: str, *, firing: bool = True, starts: int = 1, **labels: str) -> None:
    """Hear one alert that meets the rules of the house."""
    digests = tuple(one.digest for one in site.house.rules.rules) if firing else ()
    text = orjson.dumps({**ALERT, **labels}).decode()
    site.ledger.hear(Heard.of([HeardAlert(fingerprint, firing, starts, text, "{}", digests)]))


def work(shop: Shop, site: Site) -> None:
    """Do what every bell and everything due leads to, until nothing is left that would move now."""
    with shop.server.client() as client:
        for turn in range(12):
            for ident in client.zrange("rc:due", 0, -1):
                client.delete(f"rc:lease:{WEB2}")
                run(site, ident, f"turn-{turn}")


def outcomes(site: Site) -> list[tuple[str, str, str]]:
    """Return what became of each rollback, oldest first."""
    found = sorted(site.ledger.rollbacks.list(), key=lambda r: r.opened_ms)
    return [(r.from_release, r.to_release, r.outcome or r.state) for r in found]


def test_bad_release_that_arrives_while_another_is_verified_goes_back_too(shop: Shop) -> None:
    """The alert about v1.4.0 joins the rollback of v1.3.0, which is over: it is asked again, and acted on."""
    shop.house.rules = Book(rule())
    with shop.site() as site:
        hear(site, "aa")
        work(shop, site)
        shop.arrive("v1.4.0")
        hear(site, "bb")
        work(shop, site)
        assert outcomes(site)[0] == ("v1.3.0", "v1.2.0", End.INCONCLUSIVE)
        assert outcomes(site)[1] == ("v1.4.0", "v1.2.0", State.VERIFYING)
    assert shop.running == "v1.2.0"


def test_what_our_own_hand_brought_is_no_arrival_to_act_on(shop: Shop) -> None:
    """After v1.3.0 went back, an alert that goes on is not taken for one about v1.2.0, release by release."""
    shop.house.rules = Book(rule())
    with shop.site() as site:
        hear(site, "aa")
        work(shop, site)
        hear(site, "aa", firing=False)
        shop.work_to_the_end(site, site.ledger.rollbacks.list()[0].id)
        hear(site, "bb", starts=9 * 10**12)
        work(shop, site)
        ended = [(r.outcome, r.reason) for r in site.ledger.rollbacks.list()]
    assert shop.running == "v1.2.0"
    assert (End.RECOVERED, Reason.CLEARED) in ended
    assert len(ended) == 2


def test_held_rollback_gives_way_under_the_new_alerts_own_terms(shop: Shop) -> None:
    """A person's held rollback to a named release says nothing about what a rule does to the next release."""
    shop.house.rules = Book(rule(running="{{ $labels.version }}"))
    with shop.site() as site:
        ident = shop.open(site.ledger, spec={**TERMS.write(), "to": [{"version": "v1.2.0"}]})
        held(shop, site, ident)
        shop.arrive("v1.4.0")
        hear(site, "bb", version="v1.4.0")
        work(shop, site)
        found = {r.id: r for r in site.ledger.rollbacks.list()}
        successor = next(r for r in found.values() if r.id != ident)
    assert found[ident].outcome == End.SUPERSEDED
    assert (successor.by, successor.rule, successor.from_release) == ("", "canary", "v1.4.0")
    assert shop.running == "v1.2.0", "what it was about to be taken back from is not gone to either"


def test_alert_that_joined_a_refused_rollback_is_asked_again(shop: Shop) -> None:
    """A person asks for a release that is not there; the alert that joined meanwhile still goes its own way."""
    shop.house.rules = Book(rule())
    with shop.site() as site:
        shop.open(site.ledger, spec={**TERMS.write(), "to": [{"version": "v9.9.9"}]})
        hear(site, "aa")
        with shop.server.client() as client:
            (notification,) = [i for i in client.zrange("rc:due", 0, -1) if i.startswith("n")]
        run(site, notification, "first")
        work(shop, site)
        assert [end for *_, end in outcomes(site)] == [End.REFUSED, State.VERIFYING]
    assert shop.running == "v1.2.0"


def test_host_that_cannot_be_seen_is_not_taken_for_one_that_runs_something_else(shop: Shop) -> None:
    """With `running:`, an unreachable host gets its rollback, which looks again and says so."""
    shop.house.rules = Book(rule(running="{{ $labels.version }}"))

    def unreachable(*_: object) -> None:
        raise Transient(Reason.UNREACHABLE, "no route to host")

    with shop.site() as site:
        object.__setattr__(site, "reach", unreachable)
        hear(site, "aa")
        with shop.server.client() as client:
            (notification,) = client.zrange("rc:due", 0, -1)
        run(site, notification, "first")
        (rollback,) = site.ledger.rollbacks.list()
    assert (rollback.state, rollback.reason) == (State.WAITING, Reason.UNREACHABLE)


@pytest.mark.parametrize(
    ("field", "text"), [("state", "dreaming"), ("spec", "{"), ("instance", "nowhere"), ("spec", '{"to": 7}')]
)
def test_record_that_cannot_be_read_is_held_and_hides_no_other(shop: Shop, field: str, text: str) -> None:
    """A damaged record, or another version's, neither rings for ever nor breaks the lists."""
    with shop.site() as site, shop.server.client() as client:
        ident = shop.open(site.ledger)
        client.hset(f"rc:rollback:{ident}", field, text)
        run(site, ident, "job-1")
        assert client.hget(f"rc:rollback:{ident}", "state") == "held"
        assert client.hget(f"rc:rollback:{ident}", "reason") == Reason.RECORD_UNREADABLE
        assert client.zscore("rc:due", ident) is None
        site.ledger.rollbacks.list()


def test_reply_that_was_lost_is_no_failure(shop: Shop) -> None:
    """redis-py sends a script again when the connection broke; what was done the first time counts as done."""
    with shop.site() as site:
        client = site.ledger._client
        once = client.evalsha
        client.evalsha = lambda *words: (once(*words), once(*words))[1]
        done = shop.work(site, shop.open(site.ledger))
        client.evalsha = once
    assert (done.outcome, shop.restarts) == (End.RECOVERED, 1)


def test_other_instances_commits_use_up_nobodys_attempts(shop: Shop) -> None:
    """The book moves whenever any instance commits or ends; that is asked anew, and is no failure."""
    with shop.site() as site, shop.server.client() as client:
        ident = shop.open(site.ledger)
        take = site.ledger.leases.take

        def moved_on(*words: object, **more: object) -> object:
            taken = take(*words, **more)
            client.hincrby("rc:book", "version", 1)
            return taken

        site.ledger.leases.take = moved_on
        done = shop.work(site, ident)
    assert (done.outcome, done.attempts) == (End.RECOVERED, 0)


def held(shop: Shop, site: Site, ident: str) -> None:
    """Bring a rollback to be held: somebody deploys between its look and its switch."""
    preflight = shop.reach

    class Overtaken:
        def __init__(self, *words: object) -> None:
            self._driver = preflight(*words)

        def __getattr__(self, name: str) -> object:
            return getattr(self._driver, name)

        def preflight(self, plan: object) -> None:
            shop.arrive("v1.3.0")

    object.__setattr__(site, "reach", Overtaken)
    run(site, ident, "held-1")
    object.__setattr__(site, "reach", preflight)
    found = site.ledger.rollbacks.get(ident)
    assert found is not None
    assert found.state is State.HELD, found
