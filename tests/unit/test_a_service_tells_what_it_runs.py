"""The words by which a service itself names what it runs, and what they are taken for."""

from __future__ import annotations

import pytest

from rules.observations import Observation, ReleaseSeen
from workers.hosts.observing import with_told
from workers.hosts.telling import words_in


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"v1.3.0\n", ("v1.3.0",)),
        (b'{"version": "1.3.0", "commit": "9f2c41d", "more": 1}', ("1.3.0", "9f2c41d")),
        (b'"1.3.0"', ("1.3.0",)),
        (b'{"version": 13}', ()),
        (b"13", ()),
        (b"[1]", ()),
        (b"", ()),
        (b"<html><body>404</body></html>", ()),
        (b"two\nlines", ()),
        (b"x" * 300, ()),
        (b"\xff\x00", ()),
        (b"[" * 100_000, ()),
    ],
)
def test_what_an_answer_names(body: bytes, words: tuple[str, ...]) -> None:
    """Text, or JSON; what could be no name of a release is none."""
    assert words_in(body) == words


SEEN = Observation("v1.3.0", "pin", 0, (ReleaseSeen("v1.2.0", (1,)), ReleaseSeen("v1.3.0", (2,))))


@pytest.mark.parametrize("told", [("1.3.0", "9f2c41d"), ("9f2c41d",), ("2024.7",)])
def test_its_words_name_the_release_that_the_link_points_to(told: tuple[str, ...]) -> None:
    """Beside that one's own name; nothing else is called so."""
    seen = with_told(SEEN, told)
    assert seen.names == ("v1.3.0", *told)
    assert "problem" not in seen.details
    assert seen.releases[0].aliases == ()


def test_a_process_that_was_not_started_again_names_another_release() -> None:
    """It runs what the link pointed to before."""
    seen = with_told(SEEN, ("1.2.0", "77aa"))
    assert seen.names == ("v1.3.0",)
    assert "says that it runs 1.2.0" in str(seen.details["problem"])


def test_a_service_that_says_nothing_changes_nothing() -> None:
    """But that it was asked is written down."""
    seen = with_told(SEEN, ())
    assert (seen.names, seen.details) == (("v1.3.0",), {"version_told": []})
