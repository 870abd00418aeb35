"""An episode is closed for want of its alert only as it was when Alertmanager was asked.

The lists are seconds old when the resolve is written. An alert that has fired anew by then has an episode of its
own, and a rollback behind it: the resolve is about the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Heard, HeardAlert, Ledger
from controller.ledger.relearned import Unresolved
from controller.settings.numbers import Numbers
from workers.monitoring.standing import Standing
from workers.relearning import Relearner, resolve_of


def hear(ledger: Ledger, *, starts_ms: int, firing: bool = True) -> None:
    """Hear of the alert, or of its end, by a notification."""
    ledger.hear(Heard.of([HeardAlert("aa", firing, starts_ms, "{}", "{}", ("d1",) if firing else ())]))


def fires_anew(ledger: Ledger) -> None:
    """Have it end, and fire again."""
    hear(ledger, starts_ms=1, firing=False)
    hear(ledger, starts_ms=9 * 10**12)


def open_episodes(ledger: Ledger) -> dict[str, Unresolved]:
    """Return what is open."""
    return ledger.relearned.unresolved()[1]


@pytest.fixture
def looked_at(ledger: Ledger) -> Unresolved:
    """Give an open episode as a look saw it."""
    hear(ledger, starts_ms=1)
    ledger.relearned.listed(["aa"], 0)
    return open_episodes(ledger)["aa"]


def test_what_stayed_as_it_was_is_closed(ledger: Ledger, looked_at: Unresolved) -> None:
    """Once: a second word of it closes nothing."""
    assert [ledger.hear(Heard.of([resolve_of(looked_at)])).closed for _ in range(2)] == [1, 0]
    assert open_episodes(ledger) == {}


def test_an_episode_that_began_since_stays_open(ledger: Ledger, looked_at: Unresolved) -> None:
    """It is another firing."""
    fires_anew(ledger)
    assert ledger.hear(Heard.of([resolve_of(looked_at)])).closed == 0
    assert "aa" in open_episodes(ledger)


def test_one_that_was_heard_of_since_stays_open(
    ledger: Ledger, redis_server: Redis, looked_at: Unresolved
) -> None:
    """The same firing goes on: somebody told us of it after the look."""
    with redis_server.client() as client:
        client.hincrby("rc:episode:aa", "heard", 1)
    assert ledger.hear(Heard.of([resolve_of(looked_at)])).closed == 0
    assert "aa" in open_episodes(ledger)


def test_one_that_was_forgotten_since_is_not_begun_by_its_end(
    ledger: Ledger, redis_server: Redis, looked_at: Unresolved
) -> None:
    """A resolve of what is not there would be remembered against the next firing."""
    with redis_server.client() as client:
        client.delete("rc:episode:aa")
        ledger.hear(Heard.of([resolve_of(looked_at)]))
        assert not client.exists("rc:episode:aa")


class Empty:
    """An Alertmanager that has run for long and lists nothing; something happens as it is asked the last time."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    def standing(self) -> Standing:
        """Tell that it has settled."""
        return Standing("once", 9_999, True, "0.28.0", "")

    def knows_us(self) -> None:
        """Know our receiver."""

    def listed(self, *, everyones: bool = False) -> tuple[()]:
        """List nothing."""
        if everyones:
            self._meanwhile()
        return ()

    def close(self) -> None:
        """Let go."""


@pytest.mark.parametrize("anew", [False, True])
def test_the_relearner_counts_what_it_closed(ledger: Ledger, looked_at: Unresolved, *, anew: bool) -> None:
    """An alert that fires anew while Alertmanager is asked is none of it, and stays open."""
    house: Any = SimpleNamespace(refresh=lambda: False, reading=SimpleNamespace(rules=None, inventory=None))
    asked_last: list[bool] = []

    def meanwhile() -> None:
        asked_last.append(True)
        if anew:
            fires_anew(ledger)

    asked: Any = Empty(meanwhile)
    relearner = Relearner(ledger, house, lambda: asked, Numbers(relearn_absent_s=0.001), "here")

    def looked() -> list[bool]:
        relearner.look()
        return asked_last

    until(looked, within_s=5, what="the episode has been lacking for long enough")
    told = ledger.relearned.asked()
    assert told is not None
    assert (told.trouble, told.closed, "aa" in open_episodes(ledger)) == ("", int(not anew), anew)
