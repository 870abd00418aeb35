"""Open episodes are listed, one machine asks at a time, and people hear when Alertmanager does not answer."""

from __future__ import annotations

from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Heard, HeardAlert, Ledger

MANY = 1_200


def hear(ledger: Ledger, *fingerprints: str, firing: bool = True, truncated: int = 0) -> None:
    """Hear alerts that one rule matches."""
    alerts = [HeardAlert(name, firing, 1, "{}", "{}", ("d1",) if firing else ()) for name in fingerprints]
    ledger.hear(Heard.of(alerts, truncated=truncated))


def test_every_open_episode_is_listed_however_many_there_are(ledger: Ledger) -> None:
    """In parts, so that Redis is deaf to nobody; what is closed is off the list."""
    names = [f"{n:016x}" for n in range(MANY)]
    hear(ledger, *names)
    hear(ledger, *names[:200], firing=False)
    now_ms, found = ledger.relearned.unresolved()
    assert set(found) == set(names[200:])
    one = found[names[-1]]
    assert (one.first_ms, one.truncated, one.listed) == (1, 0, False)
    assert 0 <= now_ms - one.heard_ms < 60_000


def test_what_redis_forgot_is_taken_off_the_list(ledger: Ledger, redis_server: Redis) -> None:
    """An episode expires by itself."""
    hear(ledger, "aa", "bb")
    with redis_server.client() as client:
        client.delete("rc:episode:aa")
    assert set(ledger.relearned.unresolved()[1]) == {"bb"}
    with redis_server.client() as client:
        assert client.zrange("rc:unresolved", 0, -1) == ["bb"]


def test_a_whole_list_lifts_what_was_cut_off_before_it(ledger: Ledger) -> None:
    """Not what was cut off since it was asked for; and a new episode is not known to be listed."""
    hear(ledger, "aa", truncated=3)
    now_ms, found = ledger.relearned.unresolved()
    ledger.relearned.listed(["aa"], found["aa"].heard_ms - 1)
    assert ledger.relearned.unresolved()[1]["aa"].truncated == 3
    ledger.relearned.listed(["aa", "gone"], now_ms)
    one = ledger.relearned.unresolved()[1]["aa"]
    assert (one.truncated, one.listed) == (0, True)
    hear(ledger, "aa", firing=False)
    ledger.relearned.listed(["aa"], now_ms)
    assert ledger.relearned.unresolved()[1] == {}


def test_one_machine_asks_until_it_no_longer_does(ledger: Ledger) -> None:
    """Whoever has it keeps it by asking again."""
    assert ledger.relearned.claim("a", 0.3)
    assert ledger.relearned.claim("a", 0.3)
    assert not ledger.relearned.claim("b", 0.3)
    until(lambda: ledger.relearned.claim("b", 0.3), within_s=5, what="another takes over")


def test_a_turn_that_ends_while_it_is_renewed_is_not_twos(ledger: Ledger, redis_server: Redis) -> None:
    """It lapses right after it was seen to be ours, and another takes it: one of the two asks."""
    taken = [ledger.relearned.claim("a", 60)]
    get = ledger._client.get

    def lapses(name: str) -> object:
        found = get(name)
        with redis_server.client() as client:
            client.delete(name)
        taken.append(ledger.relearned.claim("b", 60))
        return found

    ledger._client.get = lapses
    taken.append(ledger.relearned.claim("a", 60))
    assert (taken[0], sum(taken[1:])) == (True, 1)


def test_people_hear_of_an_alertmanager_that_does_not_answer_for_long(ledger: Ledger, redis_server: Redis) -> None:
    """Not after one look that failed; and no more once it answers again."""
    assert (ledger.relearned.asked(), ledger.relearned.complaints()) == (None, ())
    ledger.relearned.managed(30, alerts=3, learned=1, closed=0)
    ledger.relearned.troubled(30, "It is away. Start it.")
    assert ledger.relearned.complaints() == ()

    with redis_server.client() as client:
        client.hincrby("rc:relearned", "at", -600_000)
    (said,) = ledger.relearned.complaints()
    assert said.startswith("Alertmanager has not told what fires for 6")
    assert said.endswith("It is away. Start it.")

    ledger.relearned.managed(30, alerts=2, learned=1, closed=4)
    asked = ledger.relearned.asked()
    assert asked is not None
    assert (asked.alerts, asked.learned, asked.closed, asked.trouble) == (2, 2, 4, "")
    assert ledger.relearned.complaints() == ()


def test_one_that_was_taken_out_of_the_settings_is_forgotten(ledger: Ledger, redis_server: Redis) -> None:
    """After a day."""
    ledger.relearned.managed(30, alerts=3, learned=1, closed=0)
    with redis_server.client() as client:
        for name in ("at", "tried_at"):
            client.hincrby("rc:relearned", name, -25 * 3_600_000)
    assert ledger.relearned.asked() is None
