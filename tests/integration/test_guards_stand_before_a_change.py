"""One rollback on this machine with its guards in force: what holds it back, who is asked, what it means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from testbed.redis import Redis
from testbed.shop_rules import ALERT, Book, rule
from testbed.unguarded import NO_GUARDS
from testbed.worksite import WEB2, Shop

from controller.ledger import End, Heard, HeardAlert, MovedOn, Rollback, State
from rules.decisions import Reason
from rules.errors import Transient
from rules.inventory import Host
from rules.limits import CausedByRelease, Policy
from rules.marks import Mark
from rules.rule import Mode, Rule
from rules.to import LastKnownGood
from workers.driver import Driver
from workers.jobs import run
from workers.site import Site

MINUTE_MS = 60_000


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop whose host is a canary that has just got v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        hosts = (Host("web2", "127.0.0.1", {"track": "canary"}, instance="127.0.0.1:9102"),)
        shop.with_service(hosts=hosts)
        yield shop


def guarded(**changes: object) -> Rule:
    """Return a rule that acts, where the release is the cause."""
    return replace(rule(), guards=replace(NO_GUARDS, caused_by_release=CausedByRelease()), **changes)


def now_ms() -> int:
    """Return the time."""
    return round(time.time() * 1000)


def fire(shop: Shop, site: Site, of: Rule, starts_ms: int | None = None, **alert: str) -> Rollback:
    """Hear the alert, do what its bell leads to, and return the rollback it opened."""
    shop.house.rules = Book(of)
    fp = alert.pop("fp", "aa")
    text = orjson.dumps({**ALERT, **alert}).decode()
    started = now_ms() if starts_ms is None else starts_ms
    site.ledger.hear(Heard.of([HeardAlert(fp, True, started, text, "{}", (of.digest,))]))
    with shop.server.client() as client:
        rung = client.lrange("rq:queue:rollback", 0, -1)
        client.delete("rq:queue:rollback")
    for ident in {job.split("-")[0] for job in rung if job.startswith("n")}:
        run(site, ident, "job-1")
    return site.ledger.rollbacks.list(1)[0]


def shift(shop: Shop, ident: str, field: str, by_ms: int) -> None:
    """Let time pass for a record: move one of its times into the past."""
    with shop.server.client() as client:
        client.hincrby(f"rc:rollback:{ident}", field, -by_ms)


def journalled(site: Site, ident: str, kind: str) -> list[dict[str, object]]:
    """Return the entries of one kind of a rollback's journal."""
    return [entry for entry in site.ledger.rollbacks.journal(ident) if entry["kind"] == kind]


def test_trap_12_an_alert_that_predates_the_release_changes_nothing(shop: Shop) -> None:
    """Its onset lies before the release's arrival; the record says so, with every fact and its source."""
    with shop.site() as site:
        done = fire(shop, site, guarded(), now_ms() - 30 * MINUTE_MS)
        (judged,) = journalled(site, done.id, "judged")
    assert (done.outcome, done.reason, shop.running) == (End.REFUSED, Reason.PREDATES_RELEASE, "v1.3.0")
    guards = {guard["guard"]: guard for guard in judged["judgement"]["guards"]}
    assert guards["caused-by-release"]["verdict"] == "refuse"
    assert {fact["source"] for fact in guards["caused-by-release"]["facts"]} >= {"startsAt", "the target"}


@pytest.mark.parametrize(
    ("began_s_ago", "reason"), [(600, Reason.PREDATES_RELEASE), (100, Reason.RELEASE_UNKNOWN), (1, "")]
)
def test_clocks_may_differ_by_two_minutes(shop: Shop, began_s_ago: int, reason: str) -> None:
    """A release that came after the trouble began may be its cure; where clocks leave it open, it holds."""
    with shop.site() as site:
        done = fire(shop, site, guarded(), now_ms() - began_s_ago * 1000)
    assert (done.reason, shop.running) == (reason, "v1.3.0" if reason else "v1.2.0")


def test_onset_counts_and_not_the_alerts_start(shop: Shop) -> None:
    """The alerting rule waited ten minutes: the trouble is older than the release, though the alert is not."""
    with shop.site() as site:
        of = guarded()
        done = fire(shop, site, replace(of, when=replace(of.when, alert_for_s=600)))
    assert (done.reason, shop.running) == (Reason.PREDATES_RELEASE, "v1.3.0")


def test_a_release_that_came_before_the_trouble_goes_back(shop: Shop) -> None:
    """The same rule acts where nothing speaks against it."""
    with shop.site() as site:
        done = fire(shop, site, guarded())
    assert (done.state, shop.running) == (State.VERIFYING, "v1.2.0")


def test_a_person_is_asked_and_approves(shop: Shop) -> None:
    """The plan waits unchanged for a word; with it, it is carried out, and the record says whose word it was."""
    with shop.site() as site:
        asked = fire(shop, site, guarded(mode=Mode.ASK))
        assert (asked.state, asked.reason, shop.running) == (State.WAITING, Reason.ASK_MODE, "v1.3.0")
        assert (asked.asked["from"], asked.asked["to"]) == ("v1.3.0", "v1.2.0")
        site.ledger.rollbacks.approve(asked.id, by="ann")
        done = shop.work(site, asked.id)
    assert (done.state, done.approved_by, shop.running) == (State.VERIFYING, "ann", "v1.2.0")


def test_what_was_approved_is_one_plan(shop: Shop) -> None:
    """The release it would go to is another by now: the old yes is no yes to that, and it is asked again."""
    with shop.site() as site:
        of = guarded(mode=Mode.ASK)
        asked = fire(shop, site, of)
        site.ledger.rollbacks.approve(asked.id, by="ann")
        release = shop.folder / "releases" / "v1.2.9" / "bin"
        release.mkdir(parents=True)
        (release / "shop").write_text("#!/bin/sh\n")
        (release / "shop").chmod(0o755)
        again = shop.work(site, asked.id)
    assert (again.state, again.approved, shop.running) == (State.WAITING, "", "v1.3.0")
    assert again.asked["to"] == "v1.2.9"


def test_nobody_answers(shop: Shop) -> None:
    """The question has an end, and then the rollback has one."""
    with shop.site() as site:
        asked = fire(shop, site, guarded(mode=Mode.ASK))
        with shop.server.client() as client:
            past = orjson.dumps({**asked.asked, "until_ms": now_ms() - 1})
            client.hset(f"rc:rollback:{asked.id}", "asked", past)
        done = shop.work(site, asked.id)
    assert (done.outcome, done.reason, shop.running) == (End.EXPIRED, Reason.EXPIRED, "v1.3.0")


def test_a_pause_holds_and_its_end_lets_go(shop: Shop) -> None:
    """What a pause held back goes on by itself when it ends soon."""
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "a known outage", None)
        held = fire(shop, site, guarded())
        assert (held.state, held.reason, shop.running) == (State.WAITING, Reason.PAUSED_BY_PERSON, "v1.3.0")
        site.ledger.hands.resume("", "ann")
        assert shop.work(site, held.id).state is State.VERIFYING
    assert shop.running == "v1.2.0"


def test_what_was_held_for_long_is_asked(shop: Shop) -> None:
    """After half an hour nobody may remember; the reason is gone, and a person decides."""
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "a known outage", None)
        held = fire(shop, site, guarded())
        shift(shop, held.id, "held_since", 31 * MINUTE_MS)
        site.ledger.hands.resume("", "ann")
        asked = shop.work(site, held.id)
    assert (asked.state, asked.reason, shop.running) == (State.WAITING, Reason.HELD_TOO_LONG, "v1.3.0")


def test_a_question_that_a_hold_interrupts_is_asked_anew(shop: Shop) -> None:
    """Its time ran out while nobody was to answer: that is not nobody's answer."""
    with shop.site() as site:
        asked = fire(shop, site, guarded(mode=Mode.ASK))
        site.ledger.hands.pause("", "ann", "let me look", None)
        held = shop.work(site, asked.id)
        assert (held.reason, held.asked) == (Reason.PAUSED_BY_PERSON, {})
        site.ledger.hands.resume("", "ann")
        again = shop.work(site, asked.id)
        assert (again.state, again.reason) == (State.WAITING, Reason.ASK_MODE)
        assert again.asked["until_ms"] > asked.asked["until_ms"]


def test_a_short_hold_long_ago_is_forgotten(shop: Shop) -> None:
    """A lock held it for a moment, then it waited for its own `for`: it goes on by itself when that is over."""
    with shop.site() as site:
        of = guarded()
        slow = replace(of, when=replace(of.when, for_s=3600))
        token = site.ledger.hands.lock("shop", "ci", "v1.3.1", 600)
        held = fire(shop, site, slow)
        assert held.held_ms is not None
        site.ledger.hands.unlock("shop", str(token))
        waits = shop.work(site, held.id)
        assert (waits.reason, waits.held_ms) == (Reason.NOT_FOR_LONG_ENOUGH, None)


@pytest.mark.parametrize("minutes", [1, 31])
def test_a_look_that_succeeds_forgets_the_ones_that_failed(shop: Shop, minutes: int) -> None:
    """Attempts are counted in a row; what was held for half an hour is asked about, whatever came next."""
    with shop.site() as site:
        of = guarded()
        slow = replace(of, when=replace(of.when, for_s=3600))
        site.ledger.hands.lock("shop", "ci", "v1.3.1", 600)
        held = fire(shop, site, slow)
        with shop.server.client() as client:
            client.hset(f"rc:rollback:{held.id}", "attempts", 3)
            client.delete("rc:locks")
        shift(shop, held.id, "held_since", minutes * MINUTE_MS)
        waits = shop.work(site, held.id)
    assert waits.attempts == 0
    assert (waits.held_ms is None) == (minutes == 1)


def test_a_deployment_under_way_is_waited_for(shop: Shop) -> None:
    """Who holds the service's lock is not crossed."""
    with shop.site() as site:
        token = site.ledger.hands.lock("shop", "ci", "v1.3.1", 60)
        held = fire(shop, site, guarded())
        assert (held.reason, shop.running) == (Reason.DEPLOY_LOCKED, "v1.3.0")
        site.ledger.hands.unlock("shop", str(token))
        assert shop.work(site, held.id).state is State.VERIFYING


def test_a_storm_stops_everything(shop: Shop) -> None:
    """Many services at once are no release's fault; the count is of the whole body, before anything is rung."""
    with shop.site() as site:
        others = [
            HeardAlert(f"b{n}", True, now_ms(), "{}", "{}", ("d9",), services=(f"service{n}",)) for n in range(20)
        ]
        site.ledger.hear(Heard.of(others))
        with shop.server.client() as client:
            client.delete("rq:queue:rollback")
        held = fire(shop, site, guarded())
    assert (held.state, held.reason, shop.running) == (State.WAITING, Reason.STORM, "v1.3.0")


def test_on_day_one_the_best_unknown_release_is_proposed(shop: Shop) -> None:
    """Nothing is known of any release: a person is asked; once one is declared good, it is gone to."""
    with shop.site() as site:
        asked = fire(shop, site, guarded(to=(LastKnownGood(),)))
        assert (asked.reason, asked.asked["to"]) == (Reason.NOTHING_KNOWN_GOOD, "v1.2.0")
        site.ledger.catalogue.mark("shop", "v1.2.0", Mark.KNOWN_GOOD, by="ann", why="ran for months")
        done = shop.work(site, asked.id)
    assert (done.state, shop.running) == (State.VERIFYING, "v1.2.0")


def test_all_history_bad_holds_and_says_of_each_release_why(shop: Shop) -> None:
    """There is nothing to go back to: it waits for a person, and never guesses."""
    with shop.site() as site:
        site.ledger.catalogue.mark("shop", "v1.2.0", Mark.KNOWN_BAD, by="ann", why="loses orders")
        held = fire(shop, site, guarded(to=(LastKnownGood(),)))
    assert (held.state, shop.running) == (State.WAITING, "v1.3.0")
    assert "v1.2.0" in held.detail


def resolve(site: Site, fp: str = "aa") -> None:
    """Let the alert resolve."""
    site.ledger.hear(Heard.of([HeardAlert(fp, False, 1, orjson.dumps(ALERT).decode(), "{}", ())]))


def mark_of(site: Site, release: str) -> Mark:
    """Return what is thought of a release."""
    return site.ledger.catalogue.of("shop", "").mark_of((release,)).mark


def test_going_back_that_helped_makes_the_release_known_bad(shop: Shop) -> None:
    """From the commit on it is suspect; with the alert's end it is known to be bad, for every instance."""
    with shop.site() as site:
        acting = fire(shop, site, guarded())
        assert mark_of(site, "v1.3.0") is Mark.SUSPECT
        resolve(site)
        done = shop.work_to_the_end(site, acting.id)
        assert (done.outcome, mark_of(site, "v1.3.0")) == (End.RECOVERED, Mark.KNOWN_BAD)


@pytest.mark.parametrize("before", [Mark.UNKNOWN, Mark.KNOWN_GOOD])
def test_an_ineffective_rollback_leaves_the_mark_as_it_was(shop: Shop, before: Mark) -> None:
    """The alert fires on: the release was not the cause. Its mark is what it was, and the rule may only ask."""
    with shop.site() as site:
        if before is Mark.KNOWN_GOOD:
            site.ledger.catalogue.mark("shop", "v1.3.0", before, by="ann", why="tested")
        of = guarded()
        acting = fire(shop, site, of)
        shift(shop, acting.id, "changed_at", 20 * MINUTE_MS)
        with shop.server.client() as client:
            client.hset("rc:episode:aa", "heard", now_ms())
        done = shop.work(site, acting.id)
        assert (done.outcome, mark_of(site, "v1.3.0")) == (End.INEFFECTIVE, before)
        assert of.name in site.ledger.hands.demotions()


def test_a_pause_between_the_guards_and_the_commit_wins(shop: Shop) -> None:
    """The guards were asked, then a person paused: the book has moved, and they are asked again."""

    def pausing(driver: Driver, site: Site) -> Driver:
        keep = driver.evidence

        def evidence() -> object:
            site.ledger.hands.pause("", "ann", "wait", None)
            return keep()

        driver.evidence = evidence
        return driver

    with shop.site() as site:
        reach: Callable[..., Driver] = site.reach
        held = fire(shop, replace(site, reach=lambda *words: pausing(reach(*words), site)), guarded())
    assert (held.state, held.reason, shop.running) == (State.WAITING, Reason.PAUSED_BY_PERSON, "v1.3.0")


def test_a_mark_between_the_looks_into_the_catalogue_and_the_book_counts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release it would go to is called bad right before the book is read: the commit would not notice."""
    with shop.site() as site:
        site.ledger.catalogue.mark("shop", "v1.2.0", Mark.KNOWN_GOOD, by="ann", why="ran for months")
        read = site.ledger.booking.read

        def marking(*asked: str) -> object:
            site.ledger.catalogue.mark("shop", "v1.2.0", Mark.KNOWN_BAD, by="bob", why="loses orders")
            return read(*asked)

        monkeypatch.setattr(site.ledger.booking, "read", marking)
        held = fire(shop, site, guarded(to=(LastKnownGood(),)))
    assert (held.state, shop.running) == (State.WAITING, "v1.3.0")


def test_the_policy_binds_every_rule(shop: Shop) -> None:
    """A rule that acts only asks under a policy that lets none do more."""
    with shop.site() as site:
        asked = fire(shop, replace(site, policy=Policy(ceiling="ask")), guarded())
    assert (asked.state, asked.reason, shop.running) == (State.WAITING, Reason.POLICY_CEILING, "v1.3.0")


def test_what_our_own_hand_brought_is_no_arrival(shop: Shop) -> None:
    """Trap 13: two rollbacks in a row go nowhere; v1.2.0 that we brought is not taken back for its own alert."""
    with shop.site() as site:
        first = fire(shop, site, guarded())
        resolve(site)
        assert shop.work_to_the_end(site, first.id).outcome == End.RECOVERED
        second = fire(shop, site, guarded(), fp="bb", version="v1.2.0")
    assert (second.outcome, second.reason) == (End.REFUSED, Reason.EFFECT_ALREADY_MADE)
    assert (shop.running, WEB2) == ("v1.2.0", second.instance)


def test_a_rule_that_changed_is_asked_as_it_is_now(shop: Shop) -> None:
    """What waited under the old rule ends and says so; the alert need not be repeated for the new one."""
    with shop.site() as site:
        site.ledger.hands.pause("", "ann", "a known outage", None)
        held = fire(shop, site, guarded())
        changed = guarded(description="another", evidence_logs_s=60.0)
        shop.house.rules = Book(changed)
        shift(shop, held.id, "opened_at", 3 * MINUTE_MS)
        over = shop.work(site, held.id)
        assert (over.outcome, over.reason) == (End.REFUSED, Reason.RULE_CHANGED)
        site.ledger.hands.resume("", "ann")
        with shop.server.client() as client:
            (asked,) = [key.split(":")[-1] for key in client.keys("rc:notification:*")]
        run(site, asked, "job-2")
        (now,) = (one for one in site.ledger.rollbacks.list() if one.id != held.id)
    assert (now.rule_digest, now.state, shop.running) == (changed.digest, State.VERIFYING, "v1.2.0")


def test_a_yes_is_to_the_release_that_was_read_of(shop: Shop) -> None:
    """It was asked anew meanwhile: the old message's yes names a release that it would not go to."""
    with shop.site() as site:
        asked = fire(shop, site, guarded(mode=Mode.ASK))
        with pytest.raises(MovedOn, match=r"v1\.2\.0"):
            site.ledger.rollbacks.approve(asked.id, by="ann", to="v1.1.0")
        assert site.ledger.rollbacks.approve(asked.id, by="ann", to="v1.2.0").approved_by == "ann"


class Silent:
    """A Prometheus that does not answer."""

    def active_since(self, _: object) -> None:
        """Say nothing."""
        raise Transient(Reason.MONITORING_BLIND, "Prometheus does not answer: see whether it runs")

    def close(self) -> None:
        """Nothing is open."""


def test_people_are_told_that_nobody_knows_when_the_trouble_began(shop: Shop) -> None:
    """A Prometheus that is configured and away is waited for, and not in silence."""
    with shop.site() as site:
        blind = fire(shop, replace(site, prometheus=Silent), guarded())
        (told,) = site.ledger.outbox.recent(10)
    assert (blind.state, blind.reason, shop.running) == (State.WAITING, Reason.MONITORING_BLIND, "v1.3.0")
    assert "monitoring-blind" in told.message.body
