"""What keeps a rule from acting, as its file says it. Judged in `rules.guards`."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Compare:
    """Old against new, in PromQL: `query` gives one sample for each value of the label `by`.

    The running release must be at least `at_least` times as bad as every other.
    """

    by: str
    query: str
    at_least: float = 2.0


@dataclass(frozen=True, slots=True)
class CausedByRelease:
    """The release arrived before the trouble began, by no more than `within_s`; clocks differ by `skew_s`."""

    within_s: float = 7200.0
    skew_s: float = 120.0
    compare: Compare | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many campaigns may start in any hour, and in any day (86,400 s)."""

    per_hour: int = 3
    per_day: int = 7


@dataclass(frozen=True, slots=True)
class Affected:
    """How much of a service may be touched by one campaign; shares are of 1, rounded down to whole instances.

    The first instance is always allowed.
    """

    max: int = 10
    max_share: float = 0.34
    min_healthy: float = 0.5


@dataclass(frozen=True, slots=True)
class Guards:
    """The limits of one rule. `freeze` names windows of the policy, beside those that bind every rule."""

    caused_by_release: CausedByRelease | None = CausedByRelease()
    cooldown_s: float = 1800.0
    limits: Limits = Limits()
    affected: Affected = Affected()
    freeze: tuple[str, ...] = ()


def write_number(value: float) -> str:
    """Write a number as short as it reads back the same."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


_HOLDS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with a number, as in `< 30`."""

    op: str
    value: float

    def holds(self, value: float) -> bool:
        """Tell whether it is true of a value."""
        return bool(_HOLDS[self.op](value, self.value))

    def __str__(self) -> str:
        return f"{self.op} {write_number(self.value)}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """What PromQL must say before the first change: every sample must satisfy `is_`, and there must be one."""

    name: str
    promql: str
    is_: Condition


@dataclass(frozen=True, slots=True)
class Waves:
    """Cumulative sizes within a campaign: whole numbers of instances, or shares of 1 (a float).

    With `by` "cluster" they count clusters: everything in one cluster first.
    """

    steps: tuple[int | float, ...] = (1, 0.5, 1.0)
    by: str = ""


@dataclass(frozen=True, slots=True)
class StormBrake:
    """More than so many services matched within so long: it is not one release, and nothing is rolled back."""

    services: int = 10
    within_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What binds every rule, whatever it says; a rule may be stricter, never looser.

    `ceiling` is the most that any rule may do (a word of `Mode`). `windows` are all named freeze windows, `freeze`
    those that bind every rule. `limits` count the campaigns of all rules together; None sets none.
    `opt_in` are labels that an instance must carry before any rule may touch it. `asks_for_s` is how long a plan
    waits for a person. `good_after_s`: so long healthy, scraped and quiet, and a release is known to be good.
    """

    ceiling: str = "act"
    windows: Mapping[str, object] = field(default_factory=dict)
    """By name; values are `rules.guards.calendar.Window`."""
    freeze: tuple[str, ...] = ()
    limits: Limits | None = None
    storm: StormBrake = StormBrake()
    opt_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asks_for_s: float = 3600.0
    good_after_s: float = 86_400.0


NO_POLICY = Policy()
USUAL_GUARDS = Guards()
USUAL_WAVES = Waves()
