"""A worker machine is alive while its supervisor looks after it, and ready while all of its processes run."""

from __future__ import annotations

import time

import pytest

from workers.pulse import Pulse


@pytest.mark.parametrize(
    ("running", "stopping", "seconds_ago", "alive", "ready"),
    [
        (True, False, 0, True, True),
        (False, False, 0, True, False),  # one of its processes has to be started anew
        (True, False, 29, True, True),
        (True, False, 31, False, False),  # it hangs
        (False, True, 0, True, False),
        (False, True, 89, True, False),  # it waits for the step under way: no reason to kill it
    ],
)
def test_what_is_alive_and_what_is_ready(
    monkeypatch: pytest.MonkeyPatch, running: bool, stopping: bool, seconds_ago: int, alive: bool, ready: bool
) -> None:
    """By the time since its last beat."""
    pulse, now = Pulse(), time.monotonic()
    monkeypatch.setattr("workers.pulse.time.monotonic", lambda: now - seconds_ago)
    pulse.beat(running=running, stopping=stopping)
    monkeypatch.setattr("workers.pulse.time.monotonic", lambda: now)
    assert (pulse.alive, pulse.ready) == (alive, ready)


def test_one_that_has_only_begun_is_not_ready() -> None:
    """A Deployment waits for it before it takes another away."""
    assert Pulse().alive
    assert not Pulse().ready
