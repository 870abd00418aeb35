"""Redis hears nobody else while a script runs, so none is given more than a bounded part of a storm.

How long a part takes is a matter of the machine, and measured by `make bench`; here it is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from testbed.redis import Redis

from controller.ledger import Answer, Heard, HeardAlert, Ledger, LedgerUnavailable
from controller.ledger.connection import Scripts
from controller.ledger.doorbell import Doorbell
from controller.ledger.hearing import APART_MS, CHUNK, CHUNK_BYTES, RUNG, SERVICES, WITHIN_S, Hearing
from controller.ledger.keys import QUEUE_LIST
from controller.settings.numbers import Numbers


def alerts(
    count: int, *, rules: Sequence[str] = ("d1",), text: str = "{}", services: int = 1, firing: bool = True
) -> list[HeardAlert]:
    """Return alerts about so many services in turn."""
    return [
        HeardAlert(f"{n:016x}", firing, 1_000, "{}", text, tuple(rules), (), (f"service-{n % services}",))
        for n in range(1, count + 1)
    ]


def asked(redis_server: Redis) -> list[int]:
    """Return how many pairs each notification asks about."""
    with redis_server.client() as client:
        found = [client.hkeys(name) for name in client.keys("rc:notification:*")]
    return [sum(not field.startswith("#") for field in fields) for fields in found]


def test_a_script_gets_a_bounded_number_of_alerts(redis_server: Redis) -> None:
    """A storm of 20,000 is many small scripts, between which Redis hears others."""
    with redis_server.client() as client:
        patient = Hearing(Scripts(client, Numbers()), Doorbell(client, Numbers()), clock=lambda: 0.0)
        assert patient.hear(Heard.of(alerts(20_000))) == Answer(recorded=20_000, asked=20_000)
    assert max(asked(redis_server)) == CHUNK
    assert sum(asked(redis_server)) == 20_000


def test_a_script_gets_a_bounded_amount_of_text(ledger: Ledger) -> None:
    """Long annotations make a chunk shorter; one alert that alone is longer is still taken."""
    text = '{"description":"' + "x" * (CHUNK_BYTES // 4) + '"}'
    chunks = Heard.of(alerts(8, text=text)).chunks
    assert [chunk.count for chunk in chunks] == [3, 3, 2]
    long = '{"description":"' + "x" * CHUNK_BYTES + '"}'
    assert [chunk.count for chunk in Heard.of(alerts(2, text=long)).chunks] == [1, 1]


@pytest.mark.parametrize("rules", [1, 5, 40, 300])
def test_a_script_makes_a_bounded_number_of_calls(ledger: Ledger, redis_server: Redis, rules: int) -> None:
    """Alerts that meet many rules make a script stop early, and the rest goes to the next one: none is lost."""
    digests = [f"d{n}" for n in range(rules)]
    given = Heard.of(alerts(CHUNK, rules=digests))
    assert ledger.hear(given) == Answer(recorded=CHUNK, asked=CHUNK * rules)
    assert ledger.hear(given) == Answer(known=CHUNK)
    assert sum(asked(redis_server)) == CHUNK * rules
    assert max(asked(redis_server)) <= 1_500


def test_resolves_that_wake_many_rollbacks_are_taken_in_parts(ledger: Ledger, redis_server: Redis) -> None:
    """Each of a chunk's alerts has hundreds of rollbacks behind it: every one is told."""
    ledger.hear(Heard.of(alerts(20)))
    with redis_server.client() as client:
        rollbacks = [f"r{n}" for n in range(300)]
        client.zadd("rc:due", dict.fromkeys(rollbacks, 9e12))
        for ident in rollbacks:
            client.hset(f"rc:rollback:{ident}", "state", "waiting")
        for name in client.keys("rc:episode:*"):
            client.hset(name, "rollbacks", " ".join(rollbacks))
        assert ledger.hear(Heard.of(alerts(20, firing=False))) == Answer(recorded=20, closed=20)
        assert all(client.hget(f"rc:rollback:{ident}", "roused") == "1" for ident in rollbacks)
        assert {client.hget(name, "closed") == "" for name in client.keys("rc:episode:*")} == {False}


def test_services_are_counted_in_parts_and_of_very_many_the_last(ledger: Ledger) -> None:
    """All of a body that are remembered at all are known with its first bell; a brake needs no more of them."""
    ledger.hear(Heard.of(alerts(SERVICES + 50, services=SERVICES + 50)))
    assert len(ledger.booking.read("", "").book.storm) == SERVICES + 50
    ledger.hear(Heard.of([*alerts(5_000, rules=("d2",), services=5_000)]))
    assert len(ledger.booking.read("", "").book.storm) <= 1_000


def test_a_slow_redis_is_given_up_in_time(redis_server: Redis) -> None:
    """Alertmanager waits ten seconds at least; it is told to send again before, and what is there stays."""
    with redis_server.client() as client:
        times = iter(range(10_000))
        numbers = Numbers()
        slow = Hearing(Scripts(client, numbers), Doorbell(client, numbers), clock=lambda: float(next(times)))
        given = Heard.of(alerts(4 * CHUNK))
        with pytest.raises(LedgerUnavailable, match=f"more than {WITHIN_S:g} s"):
            slow.hear(given)
        assert 0 < sum(asked(redis_server)) < 4 * CHUNK
        there = sum(asked(redis_server))
        quick = Hearing(Scripts(client, numbers), Doorbell(client, numbers))
        assert quick.hear(given) == Answer(recorded=4 * CHUNK - there, known=there, asked=4 * CHUNK - there)


def test_a_storm_does_not_fill_the_queue(ledger: Ledger, redis_server: Redis) -> None:
    """A few parts of it are rung for at once; the others stand in `due`, one after another."""
    ledger.hear(Heard.of(alerts(20 * CHUNK)))
    with redis_server.client() as client:
        assert client.llen(QUEUE_LIST) == RUNG
        due = [at for _, at in client.zrange("rc:due", 0, -1, withscores=True)]
        assert len(due) == 20
        assert max(due) - min(due) >= (20 - RUNG - 1) * APART_MS / 2
        ledger.hear(Heard.of([HeardAlert("feed", True, 1_000, "{}", "{}", ("d1",))]))
        assert client.llen(QUEUE_LIST) == RUNG + 1, "another notification is rung for as ever"
