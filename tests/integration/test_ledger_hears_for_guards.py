"""What the ledger hears for the guards: storms, alerts that are only of interest, and what was cut off."""

from __future__ import annotations

from testbed.redis import Redis

from controller.ledger import Heard, HeardAlert, Ledger
from controller.ledger.booking import OTHERS_MOST

LABELS = '{"alertname":"HighErrorRate"}'


def alert(
    fp: str, *, firing: bool = True, rules: tuple[str, ...] = (), others: tuple[str, ...] = (), of: str = ""
) -> HeardAlert:
    """Return one alert, of a service."""
    return HeardAlert(fp, firing, 1_000, LABELS, "{}", rules, others, (of,) if of else ())


def version(ledger: Ledger) -> str:
    """Return the book's version."""
    return ledger.booking.read("", "").book.version


def fingerprints(ledger: Ledger, digest: str) -> set[str]:
    """Return the open alerts that a rule is interested in."""
    return {one.other.alert.fingerprint for one in ledger.booking.others(digest)}


def test_the_whole_body_counts_before_any_of_it_rings(ledger: Ledger) -> None:
    """The services of a body of many chunks are all known with the first bell."""
    items = [alert(f"{n:04x}", rules=("d1",), of=f"svc{n % 40}") for n in range(1_200)]
    before = version(ledger)
    ledger.hear(Heard.of(items))
    book = ledger.booking.read("", "").book
    assert len(book.storm) == 40
    assert book.version != before


def test_what_was_counted_is_no_news(ledger: Ledger) -> None:
    """The same service matched again moves no guard's facts."""
    ledger.hear(Heard.of([alert("a1", rules=("d1",), of="shop")]))
    before = version(ledger)
    ledger.hear(Heard.of([alert("a2", rules=("d1",), of="shop")]))
    assert version(ledger) == before


def test_an_alert_of_interest_is_remembered_without_a_decision(ledger: Ledger, redis_server: Redis) -> None:
    """Another cause, a second signal, the same kind elsewhere: known while it fires, not decided."""
    answer = ledger.hear(Heard.of([alert("aa", others=("d1", "d2")), alert("bb", rules=("d1",))]))
    assert answer.asked == 1
    assert fingerprints(ledger, "d1") == {"aa", "bb"}
    assert fingerprints(ledger, "d2") == {"aa"}
    ledger.hear(Heard.of([alert("aa", firing=False)]))
    assert fingerprints(ledger, "d1") == {"bb"}
    assert fingerprints(ledger, "d2") == set()


def test_a_repeat_of_what_is_of_interest_writes_nothing(ledger: Ledger, redis_server: Redis) -> None:
    """It costs what any other repeat costs."""
    body = Heard.of([alert("aa", others=("d1",))])
    ledger.hear(body)
    with redis_server.client() as client:
        before = client.info("replication")["master_repl_offset"], client.hgetall("rc:episode:aa")
        assert ledger.hear(body).known == 1
        assert client.hgetall("rc:episode:aa") == before[1]


def test_a_rule_that_came_later_learns_what_fires(ledger: Ledger) -> None:
    """A repeat under new rules files the alert under them, though nothing has to be decided."""
    ledger.hear(Heard.of([alert("aa", others=("d1",))]))
    ledger.hear(Heard.of([alert("aa", others=("d9",))]))
    assert fingerprints(ledger, "d9") == {"aa"}


def test_an_alert_that_nobody_is_interested_in_is_not_remembered(ledger: Ledger, redis_server: Redis) -> None:
    """The ledger is no store of alerts."""
    ledger.hear(Heard.of([alert("aa")]))
    with redis_server.client() as client:
        assert client.keys("rc:*") == []


def test_what_was_cut_off_is_remembered_with_the_alert(ledger: Ledger, redis_server: Redis) -> None:
    """No guard may take an alert for absent that was not in a body which was cut off."""
    ledger.hear(Heard.of([alert("aa", rules=("d1",))], truncated=17))
    with redis_server.client() as client:
        assert client.hget("rc:episode:aa", "truncated") == "17"


def test_a_repeat_that_was_cut_off_is_heard_as_such_at_once(ledger: Ledger, redis_server: Redis) -> None:
    """A whole body, then one that was cut off: the alert is known, and the cut is news all the same."""
    ledger.hear(Heard.of([alert("aa", rules=("d1",))]))
    ledger.hear(Heard.of([alert("aa", rules=("d1",))], truncated=17))
    with redis_server.client() as client:
        assert client.hget("rc:episode:aa", "truncated") == "17"


def test_a_service_that_is_matched_again_after_a_while_is_news(ledger: Ledger, redis_server: Redis) -> None:
    """It was outside the window of the brake, and is in it now: whoever asked the guards asks them again."""
    ledger.hear(Heard.of([alert("a1", rules=("d1",), of="shop")]))
    with redis_server.client() as client:
        client.zincrby("rc:storm", -600_000, "shop")
    before = version(ledger)
    ledger.hear(Heard.of([alert("a2", rules=("d1",), of="shop")]))
    assert version(ledger) != before


def test_what_nobody_repeats_for_a_week_is_not_held_against_anything(ledger: Ledger, redis_server: Redis) -> None:
    """Its resolve was lost. It says nothing of now, until it is heard again."""
    ledger.hear(Heard.of([alert("aa", others=("d1",))]))
    with redis_server.client() as client:
        client.hincrby("rc:episode:aa", "heard", -8 * 86_400_000)
    assert fingerprints(ledger, "d1") == set()
    with redis_server.client() as client:
        assert not client.exists("rc:firing:d1"), "and no look at the others has to pass it by"
    ledger.hear(Heard.of([alert("aa", others=("d1",))]))
    assert fingerprints(ledger, "d1") == {"aa"}


def test_more_alerts_than_anybody_looks_through_are_known_to_be_more(ledger: Ledger) -> None:
    """Redis is never asked to read all of a flood; that there is more is told."""
    ledger.hear(Heard.of([alert(f"{n:04x}", others=("d1",)) for n in range(OTHERS_MOST + 100)]))
    assert len(ledger.booking.others("d1")) == OTHERS_MOST + 1


def test_what_only_goes_on_is_no_storm(ledger: Ledger, redis_server: Redis) -> None:
    """A group is sent whole with each alert that joins it: those that have long been firing count no more."""
    group = [alert(f"{n:02x}", rules=("d1",), of=f"svc{n}") for n in range(12)]
    ledger.hear(Heard.of(group))
    with redis_server.client() as client:
        client.delete("rc:storm")
    ledger.hear(Heard.of([*group, alert("ff", rules=("d1",), of="shop")]))
    assert set(ledger.booking.read("", "").book.storm) == {"shop"}
