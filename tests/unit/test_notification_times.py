"""Times are RFC 3339 as Go writes them: nine digits, any offset; nothing else is a time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.notifications import parse_timestamp


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-22T03:47:17Z", 1769053637000),
        ("2026-01-22T03:47:17.1Z", 1769053637100),
        ("2026-01-22T03:47:17.113904445Z", 1769053637113),
        ("2019-01-22T11:47:17.113904445+08:00", 1548128837113),
        ("2026-01-21T22:17:17.999999999-05:30", 1769053637999),
        ("2026-01-22T03:47:17.000+00:00", 1769053637000),
        ("2026-01-22t03:47:17z", 1769053637000),
        ("2024-02-29T23:59:59Z", 1709251199000),
        ("0001-01-01T00:00:00Z", -62135596800000),
        ("9999-12-31T23:59:59.999999999Z", 253402300799999),
    ],
)
def test_what_go_writes_is_read(text: str, at_ms: int) -> None:
    """Trap 7: +08:00 with nine digits is the same moment everywhere, and the rest of a millisecond is cut."""
    assert parse_timestamp(text) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-01-22",
        "2026-01-22T03:47:17",
        "2026-01-22 03:47:17Z",
        "2026-01-22T03:47Z",
        "20260122T034717Z",
        "2026-W04-4T03:47:17Z",
        "2026-01-22T03:47:17,5Z",
        "2026-01-22T03:47:17.Z",
        "2026-01-22T03:47:17.1234567890Z",
        "2026-01-22T03:47:17+0800",
        "2026-01-22T03:47:17+24:00",
        "2026-01-22T03:47:60Z",
        "2026-01-22T24:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "-026-01-22T03:47:17Z",
        "\uff12026-01-22T03:47:17Z",
        "2026-01-22T03:47:17Z\n",
        "9" * 100_000,
        1769053637,
        None,
        ["2026-01-22T03:47:17Z"],
    ],
)
def test_nothing_else_is_a_time(text: object) -> None:
    """Python's own reader takes a good deal more; a guess at what was meant would be a guess at an onset."""
    assert parse_timestamp(text) is None


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30)),  # noqa: DTZ001 - the offset is added below
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.integers(0, 999_999_999),
)
def test_every_moment_is_read_to_the_millisecond(at: datetime, offset_min: int, nanoseconds: int) -> None:
    """Whatever the offset: local time minus the offset, with the fraction cut."""
    at = at.replace(microsecond=0)
    sign, (hours, minutes) = "-" if offset_min < 0 else "+", divmod(abs(offset_min), 60)
    text = f"{at.isoformat()}.{nanoseconds:09d}{sign}{hours:02d}:{minutes:02d}"
    seconds = int(at.replace(tzinfo=UTC).timestamp()) - offset_min * 60
    assert parse_timestamp(text) == seconds * 1000 + nanoseconds // 1_000_000
