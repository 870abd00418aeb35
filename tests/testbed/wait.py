"""Waiting for things that come when they come: by polling, with a deadline that names what did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def until(predicate: Callable[[], Value], *, within_s: float, what: str, every_s: float = 0.05) -> Value:
    """Return the first true answer of `predicate`; fail, naming `what` and the last answer, when none comes.

    An `OSError` or `AssertionError` of the predicate counts as "not yet": a part that is still starting
    refuses connections.
    """
    deadline = time.monotonic() + within_s
    last: object = None
    while True:
        try:
            answer = predicate()
        except (OSError, AssertionError) as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() >= deadline:
            message = f"waited {within_s:g} s in vain for: {what}; last seen: {last!r}"
            raise AssertionError(message)
        time.sleep(every_s)


def stays(predicate: Callable[[], object], *, for_s: float, what: str, every_s: float = 0.1) -> None:
    """Fail as soon as `predicate` is not true; return when it held for the whole time."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        seen = predicate()
        assert seen, f"did not stay so for {for_s:g} s: {what}; seen: {seen!r}"
        time.sleep(every_s)
