"""Freeze windows open by the clock on the wall of their time zone, and stay right when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.judged import RULE, case, guarded

from rules.decisions import Outcome, Reason
from rules.guards.calendar import Window, window
from rules.judging import judge
from rules.limits import Policy

BERLIN = "Europe/Berlin"
WEEKEND = window("weekend", timezone=BERLIN, days=("sat", "sun"), from_="22:00", to="06:00")
NIGHT = window("night", timezone=BERLIN, from_="01:30", to="02:30")
AT_TWO = window("two", timezone=BERLIN, from_="02:30", to="05:00")
SKIPPED = window("skipped", timezone=BERLIN, from_="02:15", to="02:45")
FRIDAY = window("friday", timezone="America/New_York", rrule="FREQ=WEEKLY;BYDAY=FR;BYHOUR=16", duration_s=8 * 3600)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("asked", "when", "until"),
    [
        (WEEKEND, "2026-11-21T20:59:59", None),
        (WEEKEND, "2026-11-21T21:00", "2026-11-22T05:00"),
        (WEEKEND, "2026-11-22T04:59:59", "2026-11-22T05:00"),
        (WEEKEND, "2026-11-22T05:00", None),
        # In summer the same clock on the wall is another time.
        (WEEKEND, "2026-07-04T20:00", "2026-07-05T04:00"),
        (WEEKEND, "2026-07-04T19:59:59", None),
        # 28 March 2026, 22:00, to 06:00: an hour shorter. 24 October, 22:00: an hour longer.
        (WEEKEND, "2026-03-28T21:00", "2026-03-29T04:00"),
        (WEEKEND, "2026-10-24T20:00", "2026-10-25T05:00"),
        # 02:30 comes twice on 25 October 2026: the second ends it.
        (NIGHT, "2026-10-25T00:30", "2026-10-25T01:30"),
        (NIGHT, "2026-10-25T01:29:59", "2026-10-25T01:30"),
        (NIGHT, "2026-10-25T01:30", None),
        # 02:30 never comes on 29 March 2026: it ends, or begins, as clocks are changed.
        (NIGHT, "2026-03-29T00:59:59", "2026-03-29T01:00"),
        (NIGHT, "2026-03-29T01:00", None),
        (AT_TWO, "2026-03-29T00:59:59", None),
        (AT_TWO, "2026-03-29T01:00", "2026-03-29T03:00"),
        (SKIPPED, "2026-03-29T01:00", "2026-03-29T01:30"),
        # 16:00 in New York, a week before and after clocks change there, on 1 November 2026.
        (FRIDAY, "2026-10-30T20:00", "2026-10-31T04:00"),
        (FRIDAY, "2026-10-30T19:59:59", None),
        (FRIDAY, "2026-11-06T20:30", None),
        (FRIDAY, "2026-11-06T21:00", "2026-11-07T05:00"),
    ],
)
def test_a_freeze_window_in_another_time_zone_over_a_daylight_saving_change(
    asked: Window, when: str, until: str | None
) -> None:
    assert asked.open_until(at(when)) == (None if until is None else at(until))


@pytest.mark.parametrize(
    ("rrule", "start", "hours", "when", "until"),
    [
        ("FREQ=DAILY;COUNT=1", "2026-12-20T18:00", 400, "2026-12-25T00:00", "2027-01-06T09:00"),
        ("DTSTART:20261220T180000\nRRULE:FREQ=YEARLY", "", 24, "2030-12-21T08:00", "2030-12-21T17:00"),
        ("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=12", "", 6, "2026-11-27T12:00", "2026-11-27T17:00"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=12", "", 6, "2026-05-29T12:00", "2026-05-29T16:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-01-05T09:00", 1, "2026-11-23T08:30", "2026-11-23T09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "2026-01-05T09:00", 1, "2026-11-16T08:30", None),
        ("FREQ=MONTHLY;INTERVAL=3", "2020-01-31T09:00", 1, "2026-10-31T08:30", "2026-10-31T09:00"),
        ("FREQ=DAILY;UNTIL=20261121", "2026-01-01T09:00", 1, "2026-11-21T08:30", "2026-11-21T09:00"),
        ("FREQ=DAILY;UNTIL=20261121", "2026-01-01T09:00", 1, "2026-11-22T08:30", None),
        ("FREQ=DAILY;UNTIL=20261121T080000Z", "2026-01-01T09:00", 1, "2026-11-21T08:30", "2026-11-21T09:00"),
        ("FREQ=DAILY", "2026-11-21T09:00", 1, "2026-11-20T08:30", None),
        ("FREQ=DAILY;COUNT=2", "2026-11-20T09:00", 1, "2026-11-21T08:30", "2026-11-21T09:00"),
        ("FREQ=DAILY;COUNT=2", "2026-01-01T09:00", 1, "2026-11-21T08:30", None),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=1", "", 1, "2028-02-29T00:30", "2028-02-29T01:00"),
    ],
)
def test_recurrence_rules(rrule: str, start: str, hours: int, when: str, until: str | None) -> None:
    """From the start on, whole intervals apart, until the end; far from the start as well as near it."""
    asked = window("w", timezone=BERLIN, rrule=rrule, start=start, duration_s=hours * 3600)
    assert asked.open_until(at(when)) == (None if until is None else at(until))


def test_windows_that_touch_are_one() -> None:
    """And one that never closes is open for a year from now."""
    days = window("days", timezone="UTC", days=("sat", "sun"), from_="00:00", to="24:00")
    assert days.open_until(at("2026-11-21T12:00")) == at("2026-11-23T00:00")
    always = window("always", timezone="UTC", from_="00:00", to="24:00")
    assert always.open_until(at("2026-11-21T12:00")) == at("2027-11-22T12:00")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"from_": "22:00", "to": "06:00", "timezone": "Europe/Berln"}, "Europe/Berlin"),
        ({"from_": "22:00", "to": "06:00", "timezone": ""}, "time zone"),
        ({"from_": "22:00", "to": "06:00", "timezone": "../etc/passwd"}, "time zone"),
        ({"from_": "22:00", "to": "06:00", "timezone": "Europe"}, "time zone"),
        ({"from_": "22:00", "to": "22:00"}, "00:00 to 24:00"),
        ({"from_": "22", "to": "06:00"}, "like 22:00"),
        ({"from_": "25:00", "to": "06:00"}, "like 22:00"),
        ({"from_": "", "to": ""}, "like 22:00"),
        ({"days": ("s",), "from_": "22:00", "to": "06:00"}, "day of the week"),
        ({"days": ("caturday",), "from_": "22:00", "to": "06:00"}, "day of the week"),
        ({"from_": "22:00", "to": "06:00", "then": "stop"}, "ask, or hold"),
        ({"from_": "22:00", "to": "06:00", "duration_s": 60}, "`from` and `to`"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1"}, "duration"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1", "from_": "22:00", "duration_s": 60}, "exclude"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1", "duration_s": 0}, "lasts 0 s"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1", "duration_s": 1e12}, "366d"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1,2", "duration_s": 86400}, "more than once a day"),
        ({"rrule": "FREQ=DAILY", "duration_s": 60}, "BYHOUR"),
        ({"rrule": "FREQ=WEEKLY;BYHOUR=1", "duration_s": 60}, "BYDAY"),
        ({"rrule": "FREQ=SECONDLY", "duration_s": 60}, "SECONDLY"),
        ({"rrule": "FREQ=MINUTELY;BYHOUR=1", "duration_s": 60}, "MINUTELY"),
        ({"rrule": "every friday", "duration_s": 60}, "FREQ=WEEKLY"),
        ({"rrule": "FREQ=DAILY;FREQ=WEEKLY;BYHOUR=1", "duration_s": 60}, "twice"),
        ({"rrule": "FREQ=DAILY;BYHOUR=1;BYEASTER=0", "duration_s": 60}, "BYEASTER"),
        ({"rrule": "FREQ=DAILY;BYHOUR=99", "duration_s": 60}, "no RRULE"),
        ({"rrule": "FREQ=DAILY;BYHOUR=x", "duration_s": 60}, "no RRULE"),
        ({"rrule": "FREQ=WEEKLY;BYDAY=XX;BYHOUR=1", "duration_s": 60}, "no RRULE"),
        ({"rrule": "FREQ=DAILY;INTERVAL=0;BYHOUR=1", "duration_s": 60}, "1 to 1000"),
        ({"rrule": "FREQ=DAILY;INTERVAL=2;BYHOUR=1", "duration_s": 60}, "start"),
        ({"rrule": "FREQ=DAILY;COUNT=999999999", "start": "2026-01-01T01:00", "duration_s": 60}, "1 to 1000"),
        ({"rrule": "FREQ=DAILY;COUNT=1;UNTIL=20270101", "start": "2026-01-01", "duration_s": 60}, "exclude"),
        ({"rrule": "FREQ=DAILY", "start": "tomorrow", "duration_s": 60}, "2026-12-20T18:00"),
        ({"rrule": "FREQ=DAILY", "start": "2026-02-30T18:00", "duration_s": 60}, "calendar"),
        ({"rrule": "FREQ=DAILY;UNTIL=20250101", "start": "2026-01-01T01:00", "duration_s": 60}, "never opens"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1", "duration_s": 60}, "never opens"),
        ({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1", "duration_s": 60}, "never opens"),
        (
            {"rrule": "FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60))) + ";BYHOUR=1", "duration_s": 60},
            "60 times",
        ),
        ({"rrule": "FREQ=DAILY;" + "BYHOUR=1;" * 200, "duration_s": 60}, "too long"),
        ({"rrule": "EXDATE:20260101\nFREQ=DAILY;BYHOUR=1", "duration_s": 60}, "EXDATE"),
    ],
)
def test_a_window_that_makes_no_sense_says_what_to_write(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=r".") as found:
        window("w", **{"timezone": BERLIN, **written})  # type: ignore[arg-type]
    assert says in str(found.value)


def policy(*windows: Window, binding: bool = True) -> Policy:
    names = tuple(one.name for one in windows)
    return Policy(windows={one.name: one for one in windows}, freeze=names if binding else ())


ALWAYS = {"timezone": "UTC", "from_": "00:00", "to": "24:00"}
ASKS, HOLDS = window("asks", **ALWAYS), window("holds", **ALWAYS, then="hold")  # type: ignore[arg-type]


def test_freeze_asks_or_holds() -> None:
    """Going back is asked, not forbidden, unless a window says so; the stricter of two counts."""
    found = judge(case(policy=policy(ASKS)))
    assert (found.outcome, found.reason) == (Outcome.ASK, Reason.FROZEN)
    found = judge(case(policy=policy(ASKS, HOLDS)))
    assert (found.outcome, found.reason) == (Outcome.HOLD, Reason.FROZEN)
    assert found.until_ms is not None
    assert "holds" in found.detail


def test_a_rule_names_windows_of_its_own() -> None:
    """A window that binds nobody freezes only the rules that name it; one that is not there holds."""
    assert judge(case(policy=policy(ASKS, binding=False))).outcome is Outcome.ROLL_BACK
    assert judge(case(rule=guarded(freeze=("asks",)), policy=policy(ASKS, binding=False))).reason is Reason.FROZEN
    gone = judge(case(rule=guarded(freeze=("gone",))))
    assert (gone.outcome, gone.reason) == (Outcome.HOLD, Reason.FROZEN)
    assert RULE.guards.freeze == ()


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC", "Asia/Kathmandu")


@given(
    st.sampled_from(ZONES),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.integers(at("2020-01-01T00:00"), at("2035-01-01T00:00")),
)
def test_a_window_is_open_when_the_clock_on_the_wall_says_so(zone: str, begins: int, lasts: int, now: int) -> None:
    """Asked of a daily window a second apart from its edges, away from the hours in which clocks change."""
    ends = (begins + lasts) % 1440
    if ends == begins:
        return
    daily = window("w", timezone=zone, from_=f"{begins // 60}:{begins % 60:02}", to=f"{ends // 60}:{ends % 60:02}")
    wall = datetime.fromtimestamp(now / 1000, ZoneInfo(zone))
    minute = wall.hour * 60 + wall.minute
    inside = begins <= minute < ends if begins < ends else minute >= begins or minute < ends
    until = daily.open_until(now)
    if len({wall.replace(hour=0).utcoffset(), wall.replace(hour=23).utcoffset(), wall.utcoffset()}) == 1:
        assert (until is not None) == inside
    if until is not None:
        assert until > now


@given(st.integers(-(2**63), 2**63))
def test_any_time_can_be_asked_about(now: int) -> None:
    """Whatever a hostile clock says: it is closed, or closes later than that."""
    until = WEEKEND.open_until(now)
    assert until is None or until > now
