"""Durations are read as Prometheus reads them, and a mistake is answered with what was meant."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.durations import DurationError, parse_duration, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("10s", 10),
        ("500ms", 0.5),
        ("30m", 1800),
        ("1h30m", 5400),
        ("1d12h", 129_600),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("1h0m5s", 3605),
        ("1m500ms", 60.5),
        ("007s", 7),
        ("0" * 5000 + "7s", 7),
    ],
)
def test_a_duration_is_so_many_seconds(text: str, seconds: float) -> None:
    """Whole numbers with units, largest first."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", "write whole numbers with units"),
        ("30", "write 30s for seconds or 30m for minutes"),
        ("5 minutes", "write 5m"),
        ("5min", "write 5m"),
        ("1.5h", "write 1h30m"),
        ("30m1h", "write 1h30m"),
        ("5M", "write 5m"),
        ("1h 30m", "write 1h30m"),
        ("2 hours, 5 secs", "write 2h5s"),
        ("-5m", "cannot be negative"),
        ("5m5m", "write 10m"),
        ("soon", "write whole numbers with units"),
        ("5m!", "write whole numbers with units"),
        (" 5m", "write 5m"),
        ("5m\n", "write 5m"),
        ("٣s", "write whole numbers with units"),
        ("1000y", "292 years"),
        ("9" * 400 + "s", "292 years"),
        ("9" * 5000 + "s", "292 years"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(text: str, meant: str) -> None:
    """No unit, words, fractions, the wrong order."""
    with pytest.raises(DurationError, match=meant):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    """To the millisecond."""
    assert parse_duration(write_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.text(max_size=10))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    """Nothing else comes out."""
    with contextlib.suppress(DurationError):
        assert parse_duration(text) >= 0
