"""The roster: when a release came to an instance, by whose hand, and since when it has been good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from testbed.redis import Redis

from controller.ledger import Ledger, LedgerUnavailable, Look, PastArrival, Unchanged, connect
from controller.ledger.ids import effect_of
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.facts import Arrival, Hand

WEB = "hosts/default/shop/web1"
OLD = Look(
    WEB,
    "shop",
    "prod",
    "hosts/default",
    ("v1.2.0", "1.2.0"),
    "releases/v1.2.0@1:2.0",
    healthy=True,
    labels={"track": "stable"},
)
NEW = replace(OLD, names=("v1.3.0",), pin="releases/v1.3.0@2:3.0")
DAY_MS = 86_400_000


@pytest.fixture
def client(redis_server: Redis) -> Any:
    with redis_server.client() as client:
        yield client


def now_ms(client: Any) -> int:
    seconds, micros = client.time()
    return int(seconds) * 1000 + int(micros) // 1000


def entry(ledger: Ledger) -> Any:
    found = ledger.roster.get(WEB)
    assert found is not None
    return found


def long_ago(client: Any, *fields: str, by_ms: int = DAY_MS) -> None:
    """Make what was just written old."""
    for name in fields:
        client.hset(f"rc:roster:{WEB}", name, str(now_ms(client) - by_ms))


def test_an_instance_is_read_as_it_was_seen(ledger: Ledger) -> None:
    """By itself, and with its service in its environment."""
    ledger.roster.seen([OLD])
    found = entry(ledger)
    assert (found.names, found.labels, found.healthy, found.scraped) == (OLD.names, OLD.labels, True, None)
    assert ledger.roster.of_service("shop", "prod") == (found,)
    assert ledger.roster.of_service("shop", "staging") == ledger.roster.of_service("other", "prod") == ()
    assert ledger.roster.get("hosts/default/shop/web2") is None


def test_a_release_came_between_two_looks(ledger: Ledger, client: Any) -> None:
    """After the last look without it, and no later than the first with it."""
    ledger.roster.seen([OLD])
    without = entry(ledger).seen_ms
    ledger.roster.seen([NEW])
    came = entry(ledger).arrival
    assert (came.after_ms, came.hand) == (without, Hand.DEPLOY)
    assert without <= came.by_ms <= now_ms(client)
    ledger.roster.seen([NEW])
    assert entry(ledger).arrival == came
    assert [past.release for past in ledger.roster.arrivals(WEB)] == ["v1.3.0", "v1.2.0"]


def test_the_targets_own_word_counts_where_it_is_exact(ledger: Ledger, client: Any) -> None:
    """Also on first sight, and long before anybody looked."""
    at = now_ms(client) - 1_000
    ledger.roster.seen([replace(OLD, arrived=Arrival(at - DAY_MS, at - DAY_MS))])
    assert entry(ledger).arrival == Arrival(at - DAY_MS, at - DAY_MS)
    ledger.roster.seen([replace(NEW, arrived=Arrival(at, at))])
    assert entry(ledger).arrival == Arrival(at, at)


def test_looks_at_one_arrival_narrow_it(ledger: Ledger, client: Any) -> None:
    """A process that is started again and again says a later time each time: it came by the first of them."""
    at = now_ms(client) - 60_000
    ledger.roster.seen([replace(NEW, arrived=Arrival(at, at - 10_000))])
    ledger.roster.seen([replace(NEW, arrived=Arrival(at + 30_000, at - 5_000))])
    assert entry(ledger).arrival == Arrival(at, at - 5_000)
    assert ledger.roster.arrivals(WEB)[0].arrival == Arrival(at, at - 5_000)


def test_nothing_comes_in_the_future(ledger: Ledger, client: Any) -> None:
    """A host's clock may be ahead of ours."""
    ledger.roster.seen([replace(OLD, arrived=Arrival(now_ms(client) + DAY_MS, 5))])
    assert entry(ledger).arrival.by_ms <= now_ms(client)


def test_a_restart_is_no_arrival(ledger: Ledger, client: Any) -> None:
    """The same release under another pin, here since the same moment."""
    at = now_ms(client) - 5_000
    one = replace(OLD, arrived=Arrival(at, at), bits="sum")
    ledger.roster.seen([one])
    good = entry(ledger).good_since_ms
    ledger.roster.seen([replace(one, pin="another", names=("v1.2.0+b",))])
    assert (entry(ledger).pin, entry(ledger).good_since_ms) == ("another", good)
    assert len(ledger.roster.arrivals(WEB)) == 1
    ledger.roster.seen([replace(one, pin="third", bits="other")])
    assert len(ledger.roster.arrivals(WEB)) == 2


@pytest.mark.parametrize(
    ("by", "hand", "who"), [("", Hand.ROLLBACK, "r1"), ("ann", Hand.PERSON, "ann")], ids=["a rule's", "a person's"]
)
def test_our_own_rollback_is_an_arrival_of_ours(
    ledger: Ledger, client: Any, by: str, hand: Hand, who: str
) -> None:
    """From the moment its record says what it brought: while it is unfinished, and by its effect ever after."""
    ledger.roster.seen([NEW])
    client.set(f"rc:claim:{WEB}", "r1")
    client.set(f"rc:effect:{effect_of(WEB, NEW.pin)}", "r1")
    client.hset("rc:rollback:r1", mapping={"by": by, "arrival": NEW.pin})
    ledger.roster.seen([NEW])
    assert entry(ledger).arrival.hand is Hand.DEPLOY, "what it left, a deployer had brought"
    ledger.roster.seen([OLD])
    client.hset("rc:rollback:r1", "our_arrival", OLD.pin)
    ledger.roster.seen([OLD])
    assert (entry(ledger).arrival.hand, entry(ledger).arrival.who) == (hand, who)
    client.delete(f"rc:claim:{WEB}")
    client.set(f"rc:effect:{effect_of(WEB, OLD.pin)}", "r1")
    ledger.roster.seen([NEW])
    ledger.roster.seen([OLD])
    assert [past.arrival.hand for past in ledger.roster.arrivals(WEB)] == [hand, Hand.DEPLOY, hand, Hand.DEPLOY]


def test_what_an_instance_ran_before_is_taken_over_on_first_sight(ledger: Ledger) -> None:
    """And only then."""
    before = PastArrival("w1/1/h1", "v1", Arrival(1_000, 1_000))
    ledger.roster.seen([replace(OLD, earlier=(before,))])
    ledger.roster.seen([replace(OLD, earlier=(before,))])
    assert [past.release for past in ledger.roster.arrivals(WEB)] == ["v1.2.0", "v1"]
    assert ledger.roster.arrivals(WEB)[1] == before


def test_twenty_arrivals_are_kept(ledger: Ledger) -> None:
    """The last ones."""
    for n in range(25):
        ledger.roster.seen([replace(OLD, pin=f"p{n}", names=(f"v{n}",))])
    assert [past.release for past in ledger.roster.arrivals(WEB)] == [f"v{n}" for n in range(24, 4, -1)]


def test_a_release_is_good_since_it_was_first_seen_healthy(ledger: Ledger) -> None:
    """And every look after that leaves the time as it is."""
    ledger.roster.seen([OLD])
    good = entry(ledger).good_since_ms
    assert good is not None
    ledger.roster.seen([OLD, Unchanged(WEB)])
    assert entry(ledger).good_since_ms == good


@pytest.mark.parametrize(
    "look",
    [
        replace(OLD, healthy=False),
        replace(OLD, healthy=None),
        replace(OLD, scraped=False),
        Unchanged(WEB, scraped=False),
    ],
    ids=["sick", "not known", "not scraped", "no longer scraped"],
)
def test_what_is_not_good_begins_again(ledger: Ledger, client: Any, look: Look | Unchanged) -> None:
    """From nothing, once it is good again."""
    ledger.roster.seen([OLD])
    long_ago(client, "good_since")
    ledger.roster.seen([look])
    assert entry(ledger).good_since_ms is None
    before = now_ms(client)
    ledger.roster.seen([replace(OLD, scraped=True)])
    assert entry(ledger).good_since_ms >= before


def test_a_new_release_is_good_from_its_own_beginning(ledger: Ledger, client: Any) -> None:
    """What came before it says nothing about it."""
    ledger.roster.seen([OLD])
    long_ago(client, "good_since")
    ledger.roster.seen([NEW])
    assert now_ms(client) - entry(ledger).good_since_ms < DAY_MS


def test_who_was_not_looked_at_was_not_good(ledger: Ledger, client: Any) -> None:
    """Nobody knows what happened in between."""
    ledger.roster.seen([OLD])
    long_ago(client, "good_since", "seen", by_ms=3_600_000)
    ledger.roster.seen([OLD])
    assert now_ms(client) - entry(ledger).good_since_ms < 3_600_000


def test_a_matched_alert_is_no_good_time(ledger: Ledger, client: Any) -> None:
    """While it is open, and once more if it opened and closed between two looks; then it is forgotten."""
    ledger.roster.seen([OLD])
    client.sadd(f"rc:troubled:{WEB}", "f1", "f2")
    client.hset("rc:episode:f1", "closed", "")
    client.hset("rc:episode:f2", "closed", "1")
    ledger.roster.seen([OLD])
    assert entry(ledger).good_since_ms is None
    assert client.smembers(f"rc:troubled:{WEB}") == {"f1"}
    client.hset("rc:episode:f1", "closed", str(now_ms(client)))
    ledger.roster.seen([OLD])
    assert entry(ledger).good_since_ms is not None
    long_ago(client, "good_since")
    client.sadd(f"rc:troubled:{WEB}", "f1", "gone")
    ledger.roster.seen([OLD])
    assert entry(ledger).good_since_ms is None
    assert not client.exists(f"rc:troubled:{WEB}")


def test_an_alert_that_nobody_repeats_is_not_held_against_it_for_ever(ledger: Ledger, client: Any) -> None:
    """After a week: whoever sends no resolved notifications would never have a good release."""
    client.sadd(f"rc:troubled:{WEB}", "f1")
    client.hset("rc:episode:f1", mapping={"closed": "", "heard": str(now_ms(client) - 8 * DAY_MS)})
    ledger.roster.seen([OLD])
    assert entry(ledger).good_since_ms is not None


def test_what_was_good_for_long_enough_is_told_until_it_is_vouched_for(ledger: Ledger, client: Any) -> None:
    """And then no more, until another release comes."""
    assert ledger.roster.seen([OLD], good_after_s=60) == ()
    long_ago(client, "good_since", by_ms=61_000)
    assert ledger.roster.seen([OLD], good_after_s=60) == (WEB,)
    assert ledger.roster.seen([Unchanged(WEB)], good_after_s=60) == (WEB,)
    ledger.roster.vouched(WEB)
    assert ledger.roster.seen([OLD], good_after_s=60) == ()
    assert ledger.roster.seen([NEW], good_after_s=0) == (WEB,)


def test_what_nobody_knows_is_not_unchanged(ledger: Ledger) -> None:
    """There is nothing that it could be like."""
    ledger.roster.seen([Unchanged(WEB)])
    assert ledger.roster.get(WEB) is None


def test_what_is_gone_is_struck_off(ledger: Ledger) -> None:
    """Its arrivals stay known: it may come back."""
    ledger.roster.seen([OLD, replace(OLD, instance="hosts/default/shop/web2")])
    assert ledger.roster.known_in("hosts/default") == {WEB, "hosts/default/shop/web2"}
    ledger.roster.gone("hosts/default", [WEB])
    assert ledger.roster.known_in("hosts/default") == {"hosts/default/shop/web2"}
    assert [one.instance for one in ledger.roster.of_service("shop", "prod")] == ["hosts/default/shop/web2"]
    assert len(ledger.roster.arrivals(WEB)) == 1


def test_who_is_not_seen_for_a_day_is_not_counted(ledger: Ledger, client: Any) -> None:
    """All of it goes by itself."""
    ledger.roster.seen([OLD])
    for name in (f"rc:roster:{WEB}", 'rc:instances:["shop","prod"]', "rc:instances-in:hosts/default"):
        assert 0 < client.ttl(name) <= 86_400
    client.zadd('rc:instances:["shop","prod"]', {"hosts/default/shop/ghost": 1})
    ledger.roster.seen([OLD])
    assert client.zcard('rc:instances:["shop","prod"]') == 1


def test_an_instance_may_move_to_another_environment(ledger: Ledger) -> None:
    """It is counted once."""
    ledger.roster.seen([OLD])
    ledger.roster.seen([replace(OLD, environment="staging")])
    assert ledger.roster.of_service("shop", "prod") == ()
    assert len(ledger.roster.of_service("shop", "staging")) == 1


def test_many_are_written_in_turns(ledger: Ledger) -> None:
    """Redis answers others in between."""
    ledger.roster.seen(replace(OLD, instance=f"hosts/default/shop/w{n}") for n in range(450))
    assert len(ledger.roster.of_service("shop", "prod")) == 450


def test_redis_away_is_said_in_our_words() -> None:
    """As everywhere in the ledger."""
    away = connect(RedisSettings(url="redis://127.0.0.1:1/0"), Numbers(), "web")
    for call in (
        lambda: away.roster.seen([OLD]),
        lambda: away.roster.vouched(WEB),
        lambda: away.roster.get(WEB),
        lambda: away.roster.of_service("shop", ""),
        lambda: away.roster.known_in("hosts/default"),
        lambda: away.roster.gone("hosts/default", [WEB]),
        lambda: away.roster.arrivals(WEB),
    ):
        with pytest.raises(LedgerUnavailable):
            call()
