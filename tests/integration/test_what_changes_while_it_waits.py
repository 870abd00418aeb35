"""Between an alert and the first change the world moves: what was true then is asked again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.worksite import TERMS, Shop

from controller.ledger import End, Heard, HeardAlert, State
from rules.alerts import Alert
from rules.decisions import Reason
from rules.errors import NotYet, Transient
from rules.instances import HostInstance
from rules.inventory import Host
from rules.observations import Observation
from rules.rule import Rule
from rules.targets import Found, Located
from workers.driver import Driver
from workers.jobs import run
from workers.site import Site
from workers.terms import Terms


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),))
        yield shop


class Wrapped:
    """A driver with one method of its own."""

    def __init__(self, inner: Driver, **instead: Callable[[Driver], object]) -> None:
        self._inner = inner
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        if name in self._instead:
            return lambda *_: self._instead[name](self._inner)
        return getattr(self._inner, name)


def with_driver(shop: Shop, site: Site, **instead: Callable[[Driver], object]) -> Site:
    """Return the site with a driver that does something else in one place."""

    def reach(instance: object, rollback: str, terms: Terms, clock: Callable[[], float]) -> Any:
        return Wrapped(shop.reach(instance, rollback, terms, clock), **instead)

    return replace(site, reach=reach)


def refuse_to_look(_: Driver) -> object:
    """Fail as something that may pass does."""
    raise Transient(Reason.UNREACHABLE, "gone for a moment")


CANARY = replace(TERMS, only={"track": ["canary"]})


def test_an_instance_that_left_the_rules_scope_is_left_alone(shop: Shop) -> None:
    """It was a canary when the alert came, and is promoted before its turn."""
    with shop.site() as site:
        ident = shop.open(site.ledger, spec=CANARY.write())
        shop.with_service(hosts=(Host("web2", "127.0.0.1", {"track": "stable"}),))
        ended = shop.work(site, ident)
    assert (ended.outcome, ended.reason) == (End.REFUSED, Reason.NOT_SELECTED)
    assert shop.running == "v1.3.0"


def test_a_release_that_arrives_while_a_rollback_waits_is_left_alone(shop: Shop) -> None:
    """The alert was about the one before."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        waiting = shop.work(with_driver(shop, site, preflight=refuse_to_look), ident)
        assert waiting.state is State.WAITING
        shop.arrive("v1.2.0")
        shop.arrive("v1.3.0")
        ended = shop.work(site, ident, "job-2")
    assert (ended.outcome, ended.reason) == (End.SUPERSEDED, Reason.SUPERSEDED)
    assert (shop.running, shop.restarts) == ("v1.3.0", 0)


def test_what_waits_and_finds_the_same_release_acts(shop: Shop) -> None:
    """A pause alone changes nothing."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        shop.work(with_driver(shop, site, preflight=refuse_to_look), ident)
        shop.work(site, ident, "job-2")
    assert shop.running == "v1.2.0"


def hear(site: Site, *, begun_s_ago: float, fingerprint: str = "aa", rules: Sequence[Rule] = ()) -> None:
    """Hear an alert that began some time ago."""
    starts = round((time.time() - begun_s_ago) * 1000)
    labels = orjson.dumps(ALERT).decode()
    digests = tuple(rule.digest for rule in rules)
    site.ledger.hear(Heard.of([HeardAlert(fingerprint, True, starts, labels, "{}", digests)]))


def test_no_rule_acts_on_what_our_own_hand_brought(shop: Shop) -> None:
    """The target says so itself, though Redis was lost; a person may all the same."""

    def ours(driver: Driver) -> Observation:
        return replace(driver.observe(), brought_by="rbefore")

    with shop.site() as site:
        shop.house.rules = Book(rule())
        hear(site, begun_s_ago=1, rules=[rule()])
        by_rule = {"rule": "canary", "rule_digest": rule().digest, "by": "", "episodes": ("aa",)}
        found = shop.work(with_driver(shop, site, observe=ours), shop.open(site.ledger, **by_rule))
        assert (found.reason, shop.running) == (Reason.EFFECT_ALREADY_MADE, "v1.3.0")
        shop.work(with_driver(shop, site, observe=ours), shop.open(site.ledger))
    assert shop.running == "v1.2.0"


def test_a_wait_that_costs_no_attempt_is_not_for_ever(shop: Shop) -> None:
    """A target that never becomes clear ends the rollback with its own reason."""

    def unclear(_: Driver) -> Observation:
        raise NotYet(Reason.BACKOFF, "its controller has not seen it yet", retry_after_s=0.5)

    with shop.site() as site:
        ident = shop.open(site.ledger)
        waiting = shop.work(with_driver(shop, site, observe=unclear), ident)
        assert waiting.state is State.WAITING
        with shop.server.client() as client:
            client.hincrby(f"rc:rollback:{ident}", "waits_since", -11 * 60_000)
        ended = shop.work(with_driver(shop, site, observe=unclear), ident, "job-2")
    assert (ended.outcome, ended.reason) == (End.REFUSED, Reason.BACKOFF)
    assert "Waited for it" in ended.detail


def test_what_a_guard_held_back_for_long_is_not_given_up_at_the_first_hitch(shop: Shop) -> None:
    """It was opened an hour ago; the time for what comes by itself begins when that is waited for."""

    def unclear(_: Driver) -> Observation:
        raise NotYet(Reason.BACKOFF, "its controller has not seen it yet", retry_after_s=0.5)

    with shop.site() as site:
        ident = shop.open(site.ledger)
        with shop.server.client() as client:
            client.hincrby(f"rc:rollback:{ident}", "opened_at", -60 * 60_000)
        waiting = shop.work(with_driver(shop, site, observe=unclear), ident)
        assert waiting.state is State.WAITING
        assert shop.work(site, ident, "job-2").state is State.ENDED
    assert shop.running == "v1.2.0"


def test_a_machine_that_was_suspended_keeps_its_leases(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock of the time since boot runs ahead of the one that stood still meanwhile."""
    ours = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: ours(clock) + 3600)
    with shop.site() as site:
        shop.work(site, shop.open(site.ledger))
    assert shop.running == "v1.2.0"


class Unsure:
    """Finds the shop for one alert, and cannot tell for the others."""

    def find(self, found_by: Rule, alert: Alert, siblings: Sequence[Alert]) -> Found:
        """Find, or fail as a cluster that does not answer."""
        del found_by, siblings
        if alert.fingerprint != "ff":
            raise Transient(Reason.UNREACHABLE, "the cluster does not answer")
        return (Located(HostInstance("default", "shop", "web2"), "shop"),), None

    def close(self) -> None:
        """Nothing is open."""


def test_what_cannot_be_located_keeps_nothing_else_waiting(shop: Shop) -> None:
    """The others are decided; it is asked again for ten minutes, and then held with its reason."""
    acting = rule()
    shop.house.rules = Book(acting)
    with shop.site() as site:
        unsure = replace(site, find=Unsure)
        for fingerprint in ("aa", "ff"):
            hear(site, begun_s_ago=1, fingerprint=fingerprint, rules=[acting])
        with shop.server.client() as client:
            bells = [job.split("-")[0] for job in client.lrange("rq:queue:rollback", 0, -1)]
            for ident in bells:
                run(unsure, ident, "job-1")
            assert shop.running == "v1.2.0"
            (left,) = [ident for ident in bells if client.exists(f"rc:notification:{ident}")]
            client.hincrby(f"rc:notification:{left}", "#at", -11 * 60_000)
            run(unsure, left, "job-2")
        (held,) = [one.decision for one in site.ledger.decisions.list(10, fingerprint="aa")]
    assert (held["outcome"], held["reason"]) == ("hold", "unreachable")


def bells(shop: Shop, kind: str) -> list[str]:
    """Return what was rung for: "n" for alerts to decide, "r" for rollbacks."""
    with shop.server.client() as client:
        return [job for job in client.lrange("rq:queue:rollback", 0, -1) if job.startswith(kind)]


def verifying(shop: Shop, site: Site) -> str:
    """Take the canary back because of one alert, and return the rollback, which waits to be judged."""
    acting = rule()
    shop.house.rules = Book(acting)
    hear(site, begun_s_ago=1, rules=[acting])
    (bell,) = bells(shop, "n")
    run(site, bell.split("-")[0], "job-1")
    with shop.server.client() as client:
        client.delete("rq:queue:rollback")
    (rollback,) = site.ledger.rollbacks.list()
    assert (rollback.state, shop.running) == (State.VERIFYING, "v1.2.0")
    return rollback.id


def test_an_older_alert_says_nothing_of_a_newer_release_until_it_is_heard_again(shop: Shop) -> None:
    """A person joins the rollback that is judged, and a fix was deployed meanwhile: nobody takes the fix back."""
    with shop.site() as site:
        ident = verifying(shop, site)
        assert shop.open(site.ledger) == ident
        shop.arrive("v1.3.0")
        ended = shop.work(site, ident, "job-2")
        assert (ended.outcome, ended.reason) == (End.INCONCLUSIVE, Reason.SUPERSEDED)
        assert bells(shop, "n") == []
        assert shop.running == "v1.3.0"
        hear(site, begun_s_ago=1, rules=[rule()])
        assert len(bells(shop, "n")) == 1


def test_what_fires_about_a_newer_release_does_not_make_ours_ineffective(shop: Shop) -> None:
    """Ours does not run any more, so nothing can be said of it."""
    with shop.site() as site:
        ident = verifying(shop, site)
        shop.arrive("v1.3.0")
        with shop.server.client() as client:
            client.hincrby(f"rc:rollback:{ident}", "changed_at", -60 * 60_000)
        ended = shop.work(site, ident, "job-2")
    assert (ended.outcome, ended.reason) == (End.INCONCLUSIVE, Reason.SUPERSEDED)
