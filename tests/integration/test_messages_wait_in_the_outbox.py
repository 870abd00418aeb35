"""What people are told waits in the ledger until each channel has it: once per matter, tried anew, never lost."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import Ledger
from controller.ledger.outbox import Taken, written
from rules.telling import Kind, Message

HELD = Message(Kind.HELD, "shop is held", "Frozen until Monday.\nNothing to do.", ("oncall",), "c1", "r1", "shop")
DAY_MS = 86_400_000


def put(ledger: Ledger, *channels: str, key: str = "held/r1") -> str:
    """Put a message and give it to channels."""
    ident = ledger.outbox.put(HELD, key)
    ledger.outbox.take(10)
    ledger.outbox.route(ident, channels)
    return ident


def take(ledger: Ledger, channel: str) -> Taken:
    """Take the one message that waits for a channel."""
    (taken,) = ledger.outbox.take(10, channel)
    return taken


def age(redis_server: Redis, ident: str, by_ms: int) -> None:
    """Make a message so much older, and due."""
    with redis_server.client() as client:
        at = int(client.hget(f"rc:message:{ident}", "at"))
        client.hset(f"rc:message:{ident}", "at", at - by_ms)


def make_due(redis_server: Redis, queue: str) -> None:
    """Let the time of everything in a queue come now."""
    with redis_server.client() as client:
        for ident in client.zrange(queue, 0, -1):
            client.zadd(queue, {ident: 0})


def test_a_message_comes_out_as_it_went_in(ledger: Ledger) -> None:
    """Every field of it, first for whoever chooses the channels, then for each of them."""
    ident = ledger.outbox.put(HELD, "held/r1")
    (unrouted,) = ledger.outbox.take(10)
    assert (unrouted.id, unrouted.channel, unrouted.message) == (ident, "", HELD)
    ledger.outbox.route(ident, ["oncall", "chat"])
    assert ledger.outbox.take(10) == ()
    for channel in ("oncall", "chat"):
        assert take(ledger, channel).message == HELD


def test_one_matter_is_told_once_in_seven_days(ledger: Ledger, redis_server: Redis) -> None:
    """Whoever puts it again, after a lost reply or a crash, gets the first one's id; another key is another."""
    ident = ledger.outbox.put(HELD, "held/r1")
    assert ledger.outbox.put(Message(Kind.HELD, "other words", ""), "held/r1") == ident
    assert ledger.outbox.put(HELD, "held/r2") != ident
    assert len(ledger.outbox.take(10)) == 2
    with redis_server.client() as client:
        (said,) = [name for name in client.keys("rc:said:*") if client.get(name) == ident]
        assert 6.9 * DAY_MS < client.pttl(said) <= 7 * DAY_MS


def test_a_script_tells_in_the_same_breath_as_it_changes_a_state(ledger: Ledger, redis_server: Redis) -> None:
    """The prelude's `tell` takes what `written` gives; an empty list of channels survives Lua's JSON."""
    plain = Message(Kind.STORM, "storm", "")
    scripts = ledger.outbox._scripts
    text = scripts._texts["tell"].replace(
        "return tell(ARGV[1], ARGV[2])", "return tell(ARGV[1], cjson.encode(cjson.decode(ARGV[2])))"
    )
    with redis_server.client() as client:
        client.eval(text, 0, "storm/1", written(plain))
    (taken,) = ledger.outbox.take(1)
    assert taken.message == plain


def test_what_is_taken_is_claimed_for_a_minute(ledger: Ledger, redis_server: Redis) -> None:
    """Another teller does not get it; when the first one has died, its time comes again."""
    put(ledger, "oncall")
    first = take(ledger, "oncall")
    assert ledger.outbox.take(10, "oncall") == ()
    with redis_server.client() as client:
        score = client.zscore("rc:outbox:oncall", first.id)
        seconds, _ = client.time()
    assert 50_000 < score - seconds * 1000 <= 61_000
    make_due(redis_server, "rc:outbox:oncall")
    assert take(ledger, "oncall") == first


def test_a_receipt_ends_it_for_its_channel_only(ledger: Ledger) -> None:
    """One channel does not speak for another; a second receipt of a doubled try counts nothing."""
    ident = put(ledger, "oncall", "chat")
    taken = take(ledger, "oncall")
    assert ledger.outbox.sent(taken, "202") == 0
    assert ledger.outbox.sent(taken, "202") == 0
    assert [(w.id, w.channel) for w in ledger.outbox.waiting()] == [(ident, "chat")]
    assert ledger.outbox.counts().sent == {"oncall": 1}
    assert ledger.outbox.recent(1)[0].channels == {"oncall": "sent", "chat": "waiting"}


def test_pauses_between_tries_double_up_to_a_quarter_of_an_hour(ledger: Ledger, redis_server: Redis) -> None:
    """From five seconds; each try's error and the parts that have it are remembered."""
    put(ledger, "oncall")
    pauses = []
    for n in range(10):
        make_due(redis_server, "rc:outbox:oncall")
        taken = take(ledger, "oncall")
        assert taken.tries == n
        failed = ledger.outbox.failed(taken, f"error {n}", ["b", "a"])
        assert failed is not None
        pauses.append(failed.retry_in_s)
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    (waits,) = ledger.outbox.waiting()
    assert (waits.tries, waits.error, waits.gave_up, waits.title) == (10, "error 9", False, "shop is held")
    make_due(redis_server, "rc:outbox:oncall")
    assert take(ledger, "oncall").parts == {"a", "b"}


@pytest.mark.parametrize(("age_ms", "given_up"), [(3 * DAY_MS - 60_000, False), (3 * DAY_MS, True)])
def test_it_is_given_up_after_three_days_and_stays_visible(
    ledger: Ledger, redis_server: Redis, age_ms: int, *, given_up: bool
) -> None:
    """With its last error, and whether its channel still exists or not."""
    ident = put(ledger, "oncall")
    ledger.outbox.failed(take(ledger, "oncall"), "refused")
    age(redis_server, ident, age_ms)
    assert ledger.outbox.give_up() == (((ident, "oncall"),) if given_up else ())
    (waits,) = ledger.outbox.waiting()
    assert (waits.id, waits.channel, waits.error, waits.gave_up) == (ident, "oncall", "refused", given_up)
    make_due(redis_server, "rc:outbox:oncall")
    assert len(ledger.outbox.take(10, "oncall")) == (0 if given_up else 1)
    counts = ledger.outbox.counts()
    assert (counts.waiting["oncall"], counts.given_up.get("oncall", 0)) == ((0, 1) if given_up else (1, 0))


def test_a_thousand_wait_for_a_channel_and_the_oldest_beyond_are_counted(ledger: Ledger) -> None:
    """Once it is reached again it can be told how many it lost."""
    for n in range(1003):
        put(ledger, "oncall", key=f"held/{n}")
    counts = ledger.outbox.counts()
    assert (counts.waiting["oncall"], counts.lost) == (1000, {"oncall": 3})
    taken = ledger.outbox.take(1, "oncall")[0]
    assert ledger.outbox.sent(taken, "") == 3
    ledger.outbox.told_of_lost("oncall", 3)
    assert ledger.outbox.sent(taken, "") == 0
    assert ledger.outbox.counts().lost == {"oncall": 3}


def test_where_there_is_no_channel_it_is_noted_that_nobody_was_told(ledger: Ledger) -> None:
    """And it does not wait for one."""
    ident = put(ledger)
    (told,) = ledger.outbox.recent(5)
    assert (told.id, told.nobody, told.channels) == (ident, True, {})
    assert (ledger.outbox.waiting(), ledger.outbox.counts().nobody) == ((), 1)


def test_a_message_that_was_forgotten_meanwhile_is_waited_for_no_more(ledger: Ledger, redis_server: Redis) -> None:
    """After everything about it has expired, its place in the queue goes too."""
    ident = put(ledger, "oncall")
    with redis_server.client() as client:
        client.delete(f"rc:message:{ident}")
    assert ledger.outbox.take(10, "oncall") == ()
    assert ledger.outbox.waiting() == ()
    with redis_server.client() as client:
        assert client.zcard("rc:outbox:oncall") == 0
