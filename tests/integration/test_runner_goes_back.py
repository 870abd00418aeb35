"""One rollback on this machine, from opened to ended, with the real driver and the real ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.worksite import TERMS, Shop

from controller.ledger import End, Heard, HeardAlert, Rollback, State
from rules.decisions import Reason
from rules.inventory import Restart, RestartKind


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


def test_persons_rollback_switches_restarts_and_recovers(shop: Shop) -> None:
    """The link goes to the previous release, the service restarts once, and the record says all of it."""
    with shop.site() as site:
        done = shop.work(site, shop.open(site.ledger))
        kinds = [entry["kind"] for entry in site.ledger.rollbacks.journal(done.id)]
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)
    assert (done.state, done.outcome, done.reason) == (State.ENDED, End.RECOVERED, Reason.HEALTHY)
    assert (done.from_release, done.to_release) == ("v1.3.0", "v1.2.0")
    assert kinds[0] == "prepared"
    assert kinds.count("intent") == kinds.count("done") == len(kinds[1:]) / 2


def test_doubled_bells_change_nothing_more(shop: Shop) -> None:
    """A job that runs again finds nothing to do."""
    with shop.site() as site:
        ident = shop.open(site.ledger)
        for n in range(3):
            shop.work(site, ident, f"job-{n}")
    assert shop.restarts == 1


def test_release_just_left_is_never_gone_to(shop: Shop) -> None:
    """After v1.3.0 went back, the next rollback does not bring it again: with nothing older, it is refused."""
    with shop.site() as site:
        shop.work(site, shop.open(site.ledger))
        second = shop.work(site, shop.open(site.ledger))
    assert (shop.running, second.outcome, second.reason) == ("v1.2.0", End.REFUSED, Reason.NO_CANDIDATE)


def test_refused_when_every_alert_resolved_before_the_change(shop: Shop) -> None:
    """A resolve before the first change wins."""
    with shop.site() as site:
        site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
        ident = shop.open(site.ledger, episodes=("aa",))
        site.ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
        done = shop.work(site, ident)
    assert (shop.running, shop.restarts) == ("v1.3.0", 0)
    assert (done.outcome, done.reason) == (End.RESOLVED, Reason.RESOLVED)


def test_waits_for_its_alert_to_clear_and_ends_recovered(shop: Shop) -> None:
    """Healthy is not recovered: the rollback verifies until the resolve is heard, and stays quiet a while."""
    with shop.site() as site:
        site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
        ident = shop.open(site.ledger, episodes=("aa",))
        assert shop.work(site, ident).state is State.VERIFYING
        site.ledger.hear(Heard.of([HeardAlert("aa", False, 1, "{}", "{}", ())]))
        done = shop.work_to_the_end(site, ident)
    assert (done.outcome, done.reason, shop.restarts) == (End.RECOVERED, Reason.CLEARED, 1)


def test_silence_is_inconclusive(shop: Shop) -> None:
    """When nothing is heard of the alert within `cleared-within`, nobody claims that it helped."""
    with shop.site() as site:
        site.ledger.hear(Heard.of([HeardAlert("aa", True, 1, "{}", "{}", ("d1",))]))
        ident = shop.open(site.ledger, episodes=("aa",), spec={**TERMS.write(), "cleared_within_s": 0})
        done = shop.work(site, ident)
    assert (done.outcome, done.reason) == (End.INCONCLUSIVE, Reason.NOT_HEARD)


def test_unhealthy_release_is_put_back_once(shop: Shop) -> None:
    """Where the release gone to is not healthy in time, the way back is taken, once, and the rollback failed."""
    shop.sick = {"v1.2.0"}
    with shop.site() as site:
        done = shop.work(site, shop.open(site.ledger, spec={**TERMS.write(), "healthy_within_s": 0.5}))
    assert (shop.running, shop.restarts) == ("v1.3.0", 2)
    assert (done.outcome, done.reason) == (End.FAILED, Reason.NOT_HEALTHY)


def test_its_own_way_back_is_no_other_release(shop: Shop) -> None:
    """Held because neither release is healthy, and looked at when an alert joins: what it put back is its own."""
    shop.sick = {"v1.2.0", "v1.3.0"}
    spec = {**TERMS.write(), "healthy_within_s": 0.5}
    with shop.site() as site:
        site.ledger.hear(
            Heard.of([HeardAlert(alert, True, 1, "{}", "{}", ("d1",)) for alert in ("aa", "bb", "cc")])
        )
        ident = shop.open(site.ledger, episodes=("aa",), spec=spec)
        held = shop.work_to_the_end(site, ident)
        assert (held.state, shop.running, shop.restarts) == (State.HELD, "v1.3.0", 2)

        assert shop.open(site.ledger, episodes=("bb",), spec=spec) == ident
        assert shop.work(site, ident, "job-joined").state is State.HELD

        shutil.copytree(shop.folder / "releases/v1.3.0", shop.folder / "releases/v1.4.0")
        shop.arrive("v1.4.0")
        assert shop.open(site.ledger, episodes=("cc",), spec=spec) == ident
        done = shop.work(site, ident, "job-deployed")
    assert (done.outcome, done.reason, shop.restarts) == (End.SUPERSEDED, Reason.SUPERSEDED, 2)


def test_command_that_fails_is_tried_again_and_then_put_back(shop: Shop) -> None:
    """A restart command that keeps failing with the release gone to takes the way back too."""
    only_new = f"test $(basename $(readlink {shop.folder}/current)) = v1.3.0"
    shop.with_service(restart=Restart(RestartKind.COMMAND, argv=("sh", "-c", only_new)))
    with shop.site() as site:
        ident = shop.open(site.ledger, spec={**TERMS.write(), "attempts": 2})
        seen = [shop.work(site, ident, f"job-{n}") for n in range(2)]
    assert seen[0].state is State.PARKED
    assert (shop.running, seen[1].outcome, seen[1].reason) == ("v1.3.0", End.FAILED, Reason.COMMAND_FAILED)


def test_missing_release_directory_is_refused_with_what_to_do(shop: Shop) -> None:
    """A version that is not on the host is refused before anything is touched."""
    with shop.site() as site:
        spec = {**TERMS.write(), "to": [{"version": "v9.9.9"}]}
        done = shop.work(site, shop.open(site.ledger, spec=spec))
    assert (done.outcome, done.reason, shop.running) == (End.REFUSED, Reason.NO_CANDIDATE, "v1.3.0")
    assert "v9.9.9" in done.detail


def test_unknown_rule_is_waited_for_and_then_refused(shop: Shop, redis_server: Redis) -> None:
    """A rule that this machine does not know yet may still arrive; after two minutes it was taken away."""
    with shop.site() as site:
        ident = shop.open(site.ledger, rule="canary", rule_digest="d1", by="")
        assert shop.work(site, ident).state is State.WAITING
        with redis_server.client() as client:
            client.hincrby(f"rc:rollback:{ident}", "opened_at", -121_000)
        done = shop.work(site, ident)
    assert (done.outcome, done.reason, shop.running) == (End.REFUSED, Reason.RULE_CHANGED, "v1.3.0")


def test_transient_trouble_backs_off_and_gives_up_with_a_reason(shop: Shop) -> None:
    """Before the first change, what stays unreachable ends failed after the rule's attempts; nothing is held."""
    shop.with_service(releases=str(shop.folder / "nowhere"))
    with shop.site() as site:
        ident = shop.open(site.ledger)
        seen: list[Rollback] = [shop.work(site, ident, f"job-{n}") for n in range(3)]
    assert seen[-1].state is State.ENDED
    assert seen[-1].outcome in (End.FAILED, End.REFUSED)
    assert shop.running == "v1.3.0"


def test_arrival_that_went_back_once_is_left_alone(shop: Shop) -> None:
    """The same arrival has one effect; the release arriving anew may go back again."""
    with shop.site() as site:
        assert shop.work(site, shop.open(site.ledger)).outcome == End.RECOVERED
        shop.arrive("v1.3.0")
        assert shop.work(site, shop.open(site.ledger)).outcome == End.RECOVERED
    assert shop.restarts == 2
