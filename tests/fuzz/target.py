"""A target: something that takes input, what it is given, and what must be true of whatever it makes of that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy
from testbed.redis import Redis


class Broken(AssertionError):
    """Something that must hold of every input does not; the message says what."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a target may use: a folder of its own, and a Redis that is nobody else's."""

    folder: Path
    redis: Redis


Check = Callable[[Any], bool]
"""Takes one case: true where it was accepted, false where it was refused as documented. Raises for all else."""


@dataclass(frozen=True, slots=True)
class Target:
    """`share` is how many of a hundred cases are its own."""

    name: str
    share: float
    cases: SearchStrategy[Any]
    opened: Callable[[Site], AbstractContextManager[Check]]


def pure(name: str, share: float, cases: SearchStrategy[Any], check: Check) -> Target:
    """Make a target that needs nothing around it."""
    return Target(name, share, cases, lambda _: nullcontext(check))


def hold(condition: object, message: str) -> None:
    """Raise `Broken` where the condition is not met."""
    if not condition:
        raise Broken(message)
