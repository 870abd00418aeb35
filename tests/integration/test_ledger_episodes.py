"""Episodes: one firing of one alert, however often, late or doubled it is heard."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import Answer, Heard, HeardAlert, Ledger, NewRollback

MINUTE = 60_000


def heard(*, firing: bool = True, starts: int, rules: tuple[str, ...] = ("d1",), fp: str = "abc") -> Heard:
    """Return a notification of one alert."""
    labels, notes = '{"alertname":"HighErrorRate"}', "{}"
    return Heard.of([HeardAlert(fp, firing, starts, labels, notes, rules)])


@pytest.fixture
def now(redis_server: Redis) -> int:
    """Give Redis' time in milliseconds."""
    with redis_server.client() as client:
        seconds, micros = client.time()
    return seconds * 1000 + micros // 1000


@pytest.fixture
def shift(redis_server: Redis):
    """Let time pass for an episode: move what is remembered of it into the past."""

    def back(by_ms: int, *fields: str, fp: str = "abc") -> None:
        with redis_server.client() as client:
            key = f"rc:episode:{fp}"
            for field in fields:
                client.hset(key, field, int(client.hget(key, field)) - by_ms)

    return back


def pending(server: Redis) -> list[str]:
    """Return the pairs that wait for a decision."""
    with server.client() as client:
        keys = client.keys("rc:notification:*")
        return sorted(f for key in keys for f in client.hkeys(key) if not f.startswith("#"))


def test_new_alert_is_recorded_and_rung_for_once(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """A new firing alert asks for a decision, stands in `due`, and rings one bell."""
    assert ledger.hear(heard(starts=now)) == Answer(recorded=1, asked=1)
    assert pending(redis_server) == ["abc d1"]
    with redis_server.client() as client:
        assert client.zcard("rc:due") == 1
        assert client.llen("rq:queue:rollback") == 1


@pytest.mark.parametrize("repeats", [1, 3])
def test_trap_02_repeat_writes_nothing(ledger: Ledger, redis_server: Redis, now: int, repeats: int) -> None:
    """The same alert sent again, whenever and by whomever, is known: no second pair, no bell, no write."""
    ledger.hear(heard(starts=now))
    with redis_server.client() as client:
        before = client.info("commandstats").get("cmdstat_hset")
        for _ in range(repeats):
            assert ledger.hear(heard(starts=now)) == Answer(known=1)
        assert client.info("commandstats").get("cmdstat_hset") == before
        assert client.llen("rq:queue:rollback") == 1


def test_repeat_of_what_a_rollback_is_judged_by_is_written(ledger: Ledger, now: int, shift) -> None:
    """Behind an unfinished rollback, 11 s old is too old: `ineffective` needs to know when it was last heard."""
    ledger.hear(heard(starts=now))
    opened = ledger.rollbacks.open(NewRollback("hosts/default/shop/web2", "shop", "web2", episodes=("abc",)))
    assert ledger.hear(heard(starts=now)) == Answer(known=1)
    shift(11_000, "heard")
    assert ledger.hear(heard(starts=now)) == Answer(recorded=1)
    ledger.rollbacks.cancel(opened.id, by="alice", why="")
    shift(11_000, "heard")
    assert ledger.hear(heard(starts=now)) == Answer(known=1)


def test_a_start_ahead_of_our_clock_is_no_second_episode(ledger: Ledger, now: int) -> None:
    """Alertmanager's clock may be ahead of Redis'; its repeat is still the same alert."""
    ledger.hear(heard(starts=now + 5 * MINUTE))
    assert ledger.hear(heard(starts=now + 5 * MINUTE)) == Answer(known=1)


def test_repeat_after_four_hours_joins(ledger: Ledger, now: int, shift) -> None:
    """Trap 2: Alertmanager repeats after `repeat_interval`; that is the same episode, nothing is asked again."""
    ledger.hear(heard(starts=now - MINUTE))
    shift(240 * MINUTE, "heard", "first")
    answer = ledger.hear(heard(starts=now - 241 * MINUTE))
    assert (answer.recorded, answer.asked) == (1, 0)


def test_drift_of_the_start_joins_and_keeps_the_earlier(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """Two Prometheis report starts some seconds apart: one episode, with the earlier start."""
    ledger.hear(heard(starts=now - MINUTE))
    assert ledger.hear(heard(starts=now - MINUTE - 7000)).asked == 0
    assert ledger.hear(heard(starts=now - MINUTE + 9000)) == Answer(known=1)
    with redis_server.client() as client:
        assert client.hget("rc:episode:abc", "first") == str(now - MINUTE - 7000)


def test_start_after_the_last_hearing_is_a_new_episode(ledger: Ledger, now: int, shift) -> None:
    """An alert that starts more than a minute after it was last heard ended unheard, and began anew."""
    ledger.hear(heard(starts=now - 60 * MINUTE))
    shift(30 * MINUTE, "heard")
    assert ledger.hear(heard(starts=now)) == Answer(recorded=1, asked=1)


def test_resolve_closes_and_a_later_start_opens_anew(ledger: Ledger, now: int) -> None:
    """After a resolve, a firing that starts later is a new episode and is judged anew."""
    ledger.hear(heard(starts=now))
    assert ledger.hear(heard(firing=False, starts=now)) == Answer(recorded=1, closed=1)
    assert ledger.hear(heard(starts=now + MINUTE)) == Answer(recorded=1, asked=1)


def test_resolve_closes_though_no_rule_matches_any_more(ledger: Ledger, now: int) -> None:
    """The rules may change while an alert fires; its resolve still ends it."""
    ledger.hear(heard(starts=now))
    assert ledger.hear(heard(firing=False, starts=now, rules=())).closed == 1


def test_straggler_opens_nothing(ledger: Ledger, now: int) -> None:
    """A firing that was overtaken by its own resolve (another Alertmanager's copy) opens nothing."""
    ledger.hear(heard(starts=now - MINUTE))
    ledger.hear(heard(firing=False, starts=now - MINUTE))
    assert ledger.hear(heard(starts=now - MINUTE)) == Answer(stragglers=1)


def test_straggler_of_an_alert_never_heard_firing(ledger: Ledger, now: int) -> None:
    """Also where the resolve is all that was heard."""
    ledger.hear(heard(firing=False, starts=now - MINUTE))
    assert ledger.hear(heard(starts=now - MINUTE)) == Answer(stragglers=1)


def test_old_start_long_after_the_close_reopens(ledger: Ledger, now: int, shift) -> None:
    """A firing with the old start, minutes after the close, shows that the resolve was wrong: judged anew."""
    ledger.hear(heard(starts=now - 20 * MINUTE))
    ledger.hear(heard(firing=False, starts=now - 20 * MINUTE))
    shift(5 * MINUTE, "closed")
    assert ledger.hear(heard(starts=now - 20 * MINUTE)) == Answer(recorded=1, asked=1)


def test_repeated_resolve_writes_nothing(ledger: Ledger, now: int) -> None:
    """Two resolves for one alert (alertmanager#2151) are one."""
    ledger.hear(heard(starts=now))
    ledger.hear(heard(firing=False, starts=now))
    assert ledger.hear(heard(firing=False, starts=now)) == Answer(known=1)


def test_changed_rule_is_asked_while_the_alert_fires(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """A repeat under a changed rule asks that rule, and only that one."""
    ledger.hear(heard(starts=now, rules=("d1",)))
    assert ledger.hear(heard(starts=now, rules=("d1", "d2"))) == Answer(recorded=1, asked=1)
    assert pending(redis_server) == ["abc d1", "abc d2"]


def test_unmatched_alert_is_not_remembered(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """An alert that no rule wants costs one round trip and leaves nothing behind."""
    assert ledger.hear(heard(starts=now, rules=())) == Answer(known=1)
    with redis_server.client() as client:
        assert client.keys("*") == []


def test_large_body_is_written_in_chunks(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """1,200 alerts are twelve notifications; all of them are asked about."""
    items = [HeardAlert(f"{n:x}", True, now, "{}", "{}", ("d1",)) for n in range(1, 1201)]
    assert ledger.hear(Heard.of(items)) == Answer(recorded=1200, asked=1200)
    with redis_server.client() as client:
        assert len(client.keys("rc:notification:*")) == 12


def test_scripts_are_taught_again_after_redis_forgot_them(ledger: Ledger, redis_server: Redis, now: int) -> None:
    """A restarted Redis has no scripts; the next notification is recorded all the same."""
    with redis_server.client() as client:
        client.script_flush()
    assert ledger.hear(heard(starts=now)) == Answer(recorded=1, asked=1)
