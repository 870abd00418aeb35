"""The teller brings messages to real channels: at least once, rather late than never, each channel for itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from testbed.odd_api import OddApi, Says, drops, hangs, odd_api
from testbed.programs import started
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Ledger
from controller.settings import Channel
from rules.telling import Kind, Message
from workers.telling import teller as teller_module
from workers.telling.sending import Sending
from workers.telling.teller import Teller

HELD = Message(Kind.HELD, "Held: shop", "It waits.\n\nAll of it: rollbackctl why r1", (), "c1", "r1", "shop")
SECRET = "s3cret-token-of-the-chat"


@pytest.fixture
def sink() -> Iterator[OddApi]:
    """Run a server that takes what it is sent."""
    with odd_api() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a channel that failed rest for no more than a moment."""
    monkeypatch.setattr(teller_module, "_REST_FIRST_S", 0.1)
    monkeypatch.setattr(teller_module, "_REST_MAX_S", 0.2)


Telling = Callable[[dict[str, Channel]], Teller]


@pytest.fixture
def telling(ledger: Ledger) -> Iterator[Telling]:
    """Build tellers, and break off what they still do when the test is over."""
    with ExitStack() as over:
        yield lambda channels: over.enter_context(closing(Teller(ledger, channels)))


def channel(folder: Path, *urls: str, name: str = "oncall", **how: object) -> Channel:
    """Write a channel's file."""
    file = folder / f"{name}.urls"
    file.write_text("# who is on call\n\n" + "\n".join(urls) + "\n")
    return Channel(urls_file=file, **how)


def address(sink: OddApi, path: str = SECRET) -> str:
    """Return the Apprise URL of a sink."""
    return f"json://{sink.url.removeprefix('http://')}/{path}"


def bodies(sink: OddApi) -> list[tuple[str, str]]:
    """Return what has arrived, as title and text."""
    return [(seen.json["title"], seen.json["message"]) for seen in sink.seen]


def turning(teller: Teller, seen: Callable[[], object], redis_server: Redis | None = None) -> Callable[[], object]:
    """Let the teller work while something is waited for; with a server, pauses between tries are over at once."""

    def look() -> object:
        if redis_server is not None:
            make_due(redis_server)
        teller.turn()
        return seen()

    return look


def make_due(redis_server: Redis) -> None:
    """Let the time of everything that waits after a failed try, or was claimed by a dead teller, come now."""
    with redis_server.client() as client:
        for queue in client.scan_iter("rc:outbox:*"):
            for ident, at in client.zrange(queue, 0, -1, withscores=True):
                client.zadd(queue, {ident: at - 1_000_000}, xx=True)


def test_a_message_arrives_as_it_was_written(
    ledger: Ledger, telling: Telling, sink: OddApi, tmp_path: Path
) -> None:
    """With its lines, at every address of its channel, once; the receipt is noted."""
    both = channel(tmp_path, address(sink, "a"), address(sink, "b"))
    teller = telling({"oncall": both})
    ledger.outbox.put(HELD, "held/r1")
    until(turning(teller, lambda: ledger.outbox.counts().sent), within_s=20, what="the receipt")
    assert bodies(sink) == [(HELD.title, HELD.body)] * 2
    assert {seen.path for seen in sink.seen} == {"/a", "/b"}
    teller.turn()
    assert len(sink.seen) == 2
    (told,) = ledger.outbox.recent(1)
    assert told.channels == {"oncall": "sent"}


@pytest.mark.parametrize(
    ("named", "kind", "told"),
    [
        (("second",), Kind.HELD, {"second"}),
        (("second", "first"), Kind.HELD, {"first", "second"}),
        ((), Kind.HELD, {"third"}),
        (("gone",), Kind.HELD, {"third"}),
        (("second",), Kind.ENDED, set()),
    ],
)
def test_the_rules_channels_are_told_else_the_default(
    ledger: Ledger, telling: Telling, tmp_path: Path, named: tuple[str, ...], kind: Kind, told: set[str]
) -> None:
    """A channel may be for some kinds only; a name that the settings do not know counts as none."""
    channels = {
        "first": channel(tmp_path, "json://127.0.0.1:1/", name="first"),
        "second": channel(tmp_path, "json://127.0.0.1:1/", name="second", kinds=["held", "asked"]),
        "third": channel(tmp_path, "json://127.0.0.1:1/", name="third", default=True),
    }
    ledger.outbox.put(Message(kind, "t", "b", named), "k")
    teller = telling(channels)
    teller._route()
    assert {waiting.channel for waiting in ledger.outbox.waiting()} == told
    assert ledger.outbox.recent(1)[0].nobody == (not told)


def test_without_channels_it_is_said_that_nobody_is_told(
    ledger: Ledger, telling: Telling, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log, and where status reads it."""
    ledger.outbox.put(HELD, "held/r1")
    telling({}).turn()
    assert "teller.nobody_told" in capsys.readouterr().out
    assert ledger.outbox.counts().nobody == 1


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Says(500, "no"), "answered 500"),
        (Says(401, "no"), "answered 401; is the address still valid?"),
        (drops(), "cannot be reached"),
        (Says(302, "", {"Location": "http://127.0.0.1:1/"}), "answered 302"),
    ],
    ids=["500", "401", "drops", "redirect"],
)
def test_a_channel_that_is_down_gets_its_message_later(
    ledger: Ledger, telling: Telling, redis_server: Redis, sink: OddApi, tmp_path: Path, trouble: Says, words: str
) -> None:
    """It is seen waiting meanwhile, with the reason; neither the reason nor the log shows the address."""
    sink.says = [trouble]
    teller = telling({"oncall": channel(tmp_path, address(sink))})
    ledger.outbox.put(HELD, "held/r1")
    tried = turning(teller, lambda: [w for w in ledger.outbox.waiting() if w.tries], redis_server)
    (waits,) = until(tried, within_s=20, what="a try that failed")  # type: ignore[misc]
    assert words in waits.error
    assert SECRET not in waits.error
    sink.says = [Says(200)]
    until(turning(teller, lambda: ledger.outbox.counts().sent, redis_server), within_s=20, what="the receipt")
    assert bodies(sink)[-1] == (HELD.title, HELD.body)
    assert ledger.outbox.waiting() == ()


def test_an_address_that_has_it_is_not_told_again_for_another_that_has_not(
    ledger: Ledger, telling: Telling, redis_server: Redis, sink: OddApi, tmp_path: Path
) -> None:
    """What one wrong line in the file does to the others."""
    bad = f"json://127.0.0.1:1/{SECRET}"
    teller = telling({"oncall": channel(tmp_path, bad, address(sink))})
    ledger.outbox.put(HELD, "held/r1")
    tried = turning(teller, lambda: [w for w in ledger.outbox.waiting() if w.tries >= 2], redis_server)
    (waits,) = until(tried, within_s=30, what="the second try")  # type: ignore[misc]
    assert waits.error == "address 1 of 2 cannot be reached; is it up, and is the way there open?"
    assert len(sink.seen) == 1


def test_a_channel_that_hangs_holds_up_no_other(
    ledger: Ledger, telling: Telling, sink: OddApi, tmp_path: Path
) -> None:
    """Each has a process of its own, and a deadline."""
    with odd_api() as hanging:
        hanging.says = [hangs()]
        channels = {
            "stuck": channel(tmp_path, address(hanging), name="stuck"),
            "oncall": channel(tmp_path, address(sink)),
        }
        teller = telling(channels)
        for n in range(3):
            ledger.outbox.put(Message(Kind.HELD, f"held {n}", "b", ("stuck", "oncall")), f"held/{n}")
        until(turning(teller, lambda: len(sink.seen) == 3), within_s=30, what="the other channel has all three")
        assert len(hanging.seen) <= 1
        assert "stuck" not in ledger.outbox.counts().sent


def test_a_plugin_that_outlives_its_deadline_is_killed(ledger: Ledger, tmp_path: Path) -> None:
    """Its message counts as not sent; an address that answered in time has it."""
    with odd_api() as hanging, odd_api() as quick:
        hanging.says = [hangs()]
        urls = channel(tmp_path, address(hanging), address(quick)).urls()
        ident = ledger.outbox.put(HELD, "held/r1")
        ledger.outbox.take(1)
        ledger.outbox.route(ident, ["oncall"])
        (taken,) = ledger.outbox.take(1, "oncall")
        sending = Sending(taken, urls, deadline_s=3)
        sent = until(sending.over, within_s=20, what="the deadline")
    assert sent is not None
    assert sent.error == "address 1 of 2 did not answer within 3 s"
    assert (len(sent.parts), len(quick.seen)) == (1, 1)


def test_a_file_that_cannot_be_used_is_a_reason_like_any_other(
    ledger: Ledger, telling: Telling, redis_server: Redis, sink: OddApi, tmp_path: Path
) -> None:
    """It is read anew for each try, so that correcting it is enough; no line of it is shown."""
    broken = channel(tmp_path, f"exec://{SECRET}")
    teller = telling({"oncall": broken})
    ledger.outbox.put(HELD, "held/r1")
    tried = turning(teller, lambda: [w for w in ledger.outbox.waiting() if w.tries], redis_server)
    (waits,) = until(tried, within_s=20, what="a try that failed")  # type: ignore[misc]
    assert "line 3, begins with exec://, which is not sent to. It may begin with discord," in waits.error
    assert SECRET not in waits.error
    channel(tmp_path, address(sink))
    until(turning(teller, lambda: ledger.outbox.counts().sent, redis_server), within_s=20, what="the receipt")


def test_other_channels_hear_of_one_that_is_not_reached(
    ledger: Ledger, telling: Telling, redis_server: Redis, sink: OddApi, tmp_path: Path
) -> None:
    """After a quarter of an hour, once a day."""
    channels = {
        "oncall": channel(tmp_path, "json://127.0.0.1:1/"),
        "chat": channel(tmp_path, address(sink), name="chat"),
    }
    teller = telling(channels)
    for n in range(2):
        ident = ledger.outbox.put(Message(Kind.HELD, f"Held: shop {n}", "b", ("oncall",)), f"held/{n}")
        with redis_server.client() as client:
            client.hset(f"rc:message:{ident}", "at", int(client.time()[0]) * 1000 - 1_000_000)
    tried = turning(teller, lambda: all(w.tries for w in ledger.outbox.waiting()) and sink.seen, redis_server)
    until(tried, within_s=30, what="the other channel is told")
    ((title, text),) = bodies(sink)
    assert title == "Channel oncall is not reached"
    assert "cannot be reached" in text


def test_a_channel_that_is_back_hears_what_it_will_never_get(
    ledger: Ledger, telling: Telling, redis_server: Redis, sink: OddApi, tmp_path: Path
) -> None:
    """How many there were; what they said can be looked up."""
    with redis_server.client() as client:
        client.hset("rc:lost-messages", "oncall", 7)
    teller = telling({"oncall": channel(tmp_path, address(sink))})
    ledger.outbox.put(HELD, "held/r1")
    until(turning(teller, lambda: len(sink.seen) == 2), within_s=20, what="both messages")
    assert bodies(sink)[1][0] == "7 messages are missing here"


def test_what_was_sent_without_a_receipt_is_sent_again(
    ledger: Ledger, redis_server: Redis, sink: OddApi, tmp_path: Path
) -> None:
    """The teller and its sender are killed while the channel has the message and has not answered."""
    sink.says = [hangs()]
    where = channel(tmp_path, address(sink))
    script = (
        "import sys; from controller.settings import Channel, Redis, Settings;"
        "from workers.stopping import Stopping; from workers.telling.teller import teller_of;"
        "notify = {'oncall': Channel(urls_file=sys.argv[2])};"
        "teller_of(Settings(redis=Redis(url=sys.argv[1]), notify=notify)).run(Stopping())"
    )
    argv = [sys.executable, "-c", script, redis_server.url, str(where.urls_file)]
    ledger.outbox.put(HELD, "held/r1")
    with started("first", argv, tmp_path) as first:
        until(lambda: first.running() and sink.seen, within_s=30, what="the channel has it")
        first.kill()
    assert [w.channel for w in ledger.outbox.waiting()] == ["oncall"]
    sink.says = [Says(200)]
    make_due(redis_server)
    with started("second", argv, tmp_path) as second:
        until(
            lambda: second.running() and ledger.outbox.counts().sent, within_s=30, what="the receipt of the other"
        )
        logs = first.log() + second.log()
    assert bodies(sink) == [(HELD.title, HELD.body)] * 2
    assert SECRET not in logs
    assert "teller.told" in logs


def test_redis_away_is_waited_out(redis_server: Redis, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """And said once, not every second."""
    from controller.ledger import connect  # noqa: PLC0415
    from controller.settings.numbers import Numbers  # noqa: PLC0415
    from controller.settings.settings import Redis as RedisSettings  # noqa: PLC0415

    away = connect(RedisSettings(url="redis://127.0.0.1:1/0"), Numbers(), "web")
    teller = Teller(away, {})
    teller.turn()
    teller.turn()
    assert capsys.readouterr().out.count("teller.ledger_unavailable") == 1
