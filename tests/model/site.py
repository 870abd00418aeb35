"""What workers of the model reach, and the words in which their calls are told."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.ledger import Taken
from model.redis_side import RedisSide
from model.target import Target

Call = Callable[[], Any]
Calls = Generator[Call, Any, None]
RULE, SERVICE = "d1", "shop"
LIMIT = 2
"""A rule may begin so many campaigns, each of which is one arrival on one instance."""


class Luck(StrEnum):
    """How things go wherever they may go one way or the other."""

    GOOD = "good"
    PARK = "park"
    NO = "no"
    """Something says no before the change."""
    FAIL = "fail"
    """What was changed is not well, or did not help."""


class Stop(Exception):
    """The stretch is over: something is waited for, or known for good."""


@dataclass(slots=True)
class Site:
    """What workers reach: the ledger and the instances. `asks` names those where a person has to approve first."""

    redis: RedisSide
    targets: dict[str, Target]
    about: dict[str, str]
    asks: frozenset[str] = frozenset()
    committed: Callable[[Taken, str], None] = lambda taken, arrival: None
    nonces: Any = field(default_factory=lambda: itertools.count(1))
    terms: Any = field(default_factory=lambda: itertools.count(1))
