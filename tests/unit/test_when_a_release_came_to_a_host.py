"""When what runs came to a host: after its link was made, by its move into place and the start of its process."""

from __future__ import annotations

import pytest

from rules.facts import Arrival, Hand
from workers.hosts.arrivals import arrived, clock_off_ms, platform_of
from workers.hosts.reports import Link, Report, Unit, parse

MADE = Link("releases/v1.3.0", "5:100.5")


def unit(started_s: float, pid: int = 7) -> Unit:
    return Unit({"MainPID": str(pid), "ExecMainStartTimestampMonotonic": str(round(started_s * 1e6))})


def host(**facts: object) -> Report:
    """Return a host that has been up for 1000 s, at 2000 s by its clock: it was started at 1000."""
    report = Report(whole=True, link=MADE, link_kind="link", now_ms=2_000_000, uptime_s=1000.0)
    for name, value in facts.items():
        setattr(report, name, value)
    return report


@pytest.mark.parametrize(
    ("facts", "came"),
    [
        ({"changed_ms": 100_600}, Arrival(100_600, 100_500)),
        ({}, Arrival(100_500, 100_500)),
        ({"changed_ms": 50_000}, Arrival(100_500, 100_500)),
        ({"changed_ms": 100_600, "unit": unit(500)}, Arrival(1_500_000, 100_500)),
        ({"link": Link("releases/v1.3.0", "5:1600.0"), "unit": unit(500)}, Arrival(1_600_000, 1_600_000)),
        ({"changed_ms": 100_600, "unit": unit(500, pid=0)}, Arrival(100_600, 100_500)),
        ({"changed_ms": 100_600, "unit": unit(500), "uptime_s": None}, Arrival(100_600, 100_500)),
        ({"link": None}, None),
    ],
    ids=[
        "a link that was moved into place",
        "nobody can tell of a move",
        "a link that was set back in time",
        "a process that was started after it",
        "a process that was there before it",
        "no process",
        "nobody can tell of the process",
        "no link",
    ],
)
def test_when_it_came(facts: dict[str, object], came: Arrival | None) -> None:
    """A process that crashes starts again and again: its start is the latest that the release may have come."""
    assert arrived(host(**facts), 0) == came


@pytest.mark.parametrize(
    ("fallback", "hand", "who"),
    [
        (None, Hand.DEPLOY, ""),
        (("5:100.5", "v1.4.0"), Hand.GUARD, "v1.4.0"),
        (("5:100.4", "v1.4.0"), Hand.DEPLOY, ""),
    ],
    ids=["no note", "a note of this very link", "a note of an earlier link"],
)
def test_what_the_hosts_own_guard_brought_is_known_as_that(
    fallback: tuple[str, str] | None, hand: Hand, who: str
) -> None:
    """Its note names the link that it made: what came later is somebody else's, whatever the note says."""
    came = arrived(host(fallback=fallback), 0)
    assert came is not None
    assert (came.hand, came.who) == (hand, who)


def test_the_hosts_clock_is_corrected() -> None:
    """It is ahead by ten seconds."""
    assert arrived(host(changed_ms=100_600), 10_000) == Arrival(90_600, 90_500)


@pytest.mark.parametrize(
    ("host_ms", "off_ms"),
    [(1_500, 0), (1_000, 0), (2_000, 0), (None, 0), (500, -500), (62_000, 60_000)],
    ids=["between", "as it was asked", "as it answered", "it does not tell", "behind", "ahead"],
)
def test_what_the_way_there_explains_is_no_difference_of_clocks(host_ms: int | None, off_ms: int) -> None:
    """Asked at 1,000, answered at 2,000."""
    assert clock_off_ms(host_ms, 1_000, 2_000) == off_ms


@pytest.mark.parametrize(
    ("kernel", "platform"),
    [
        ("Linux x86_64", "linux/amd64"),
        ("Linux aarch64", "linux/arm64"),
        ("FreeBSD amd64", "freebsd/amd64"),
        ("", ""),
        ("Linux", ""),
    ],
)
def test_platforms_are_called_as_go_calls_them(kernel: str, platform: str) -> None:
    """As manifests do."""
    assert platform_of(kernel) == platform


def test_what_the_host_says_of_itself_is_read() -> None:
    """And what is no number is not known."""
    records = ["now\t1763715843.123456789", "uptime\t25000.12", "changed\t100.6", "kernel\tLinux x86_64"]
    report = parse("".join(f"{record}\0" for record in [*records, f"content\t{'a' * 64}  /r/v1/shop"]).encode())
    assert (report.now_ms, report.uptime_s, report.changed_ms) == (1_763_715_843_123, 25000.12, 100_600)
    assert (report.kernel, report.contents) == ("Linux x86_64", {"/r/v1/shop": "a" * 64})
    odd = parse(b"now\t%s.%N\0uptime\t\0changed\t-\0content\tno sum\0")
    assert (odd.now_ms, odd.uptime_s, odd.changed_ms, odd.contents) == (None, None, None, {})


@pytest.mark.parametrize(
    ("starts_ms", "by_ms"),
    [((100_700, 100_900), 100_700), ((100_590, 100_650), 100_650), ((), 1_500_000)],
    ids=["the first since it was moved", "one before it was moved says nothing", "the journal may not be read"],
)
def test_a_crash_loop_is_no_later_arrival(starts_ms: tuple[int, ...], by_ms: int) -> None:
    """The journal has the first start under the new release, of a unit that is started again and again."""
    told = host(changed_ms=100_600, unit=unit(500), starts_ms=starts_ms)
    assert arrived(told, 0) == Arrival(by_ms, 100_500)


def test_starts_are_read() -> None:
    """Seconds with their fractions, one to a line."""
    assert parse(b"starts\t100.700000\n100.9\nodd\0").starts_ms == (100_700, 100_900)
