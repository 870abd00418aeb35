"""Is the service healthy, and does it stay so? One look judged (pure), and the loop that looks again and again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.hosts.processes import RunsFrom, runs_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.hosts.reports import Unit

LONGEST_WINDOW_S = 20.0
"""How long a job looks without a break. Of a longer `steady`, this much is watched at its end; a restart in
between is still noticed, by the unit's own counter."""

_BUDGET_S = 25.0
_EVERY_S = 0.25
_LOOK_IN_EVERY_S = 10.0


class Verdict(StrEnum):
    """What one look says. Waiting may become good; bad will not, without somebody doing something."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the service. `run` tells one life of the process from the next."""

    verdict: Verdict
    why: str
    run: str = ""


def judge_unit(unit: Unit | None, values: Mapping[str, object], restarts_before: int) -> Look:
    """Judge a unit that was made to take up a release."""
    name = values["unit"]
    if unit is None:
        return Look(Verdict.WAITING, f"systemd tells nothing of {name}")
    run, state = unit["InvocationID"], unit["ActiveState"]
    how = f"{name} is {state} ({unit['SubState']}, result {unit['Result']}, exit status {unit['ExecMainStatus']})"
    if unit.restarts > restarts_before or unit["SubState"] == "auto-restart":
        return Look(Verdict.BAD, f"{how}: its process ended and systemd started it again", run)
    if state in ("failed", "inactive"):
        return Look(Verdict.BAD, how, run)
    if state != "active":
        return Look(Verdict.WAITING, how, run)
    return _judge_process(unit, values, run) if values["kind"] == "systemd" else Look(Verdict.GOOD, how, run)


def _judge_process(unit: Unit, values: Mapping[str, object], run: str) -> Look:
    name, release = values["unit"], values["release"]
    match runs_from(unit, **{key: str(values[key]) for key in ("releases", "release", "current")}):
        case RunsFrom.TARGET:
            return Look(Verdict.GOOD, f"{name} runs from {release}", run)
        case RunsFrom.ELSEWHERE:
            where = unit.cwd or unit.exe or " ".join(unit.arguments)
            return Look(Verdict.BAD, f"the main process of {name} runs from {where}, not from {release}", run)
        case RunsFrom.NO_PROCESS if unit["SubState"] == "exited":
            return Look(Verdict.GOOD, f"{name} has done its work and leaves no process", run)
        case _:
            return Look(Verdict.WAITING, f"where {name} runs from cannot be seen yet", run)


@dataclass(frozen=True, slots=True)
class Window:
    """What is waited for: healthy within so long of `since_s`, then steady for so long."""

    since_s: float
    within_s: float
    steady_s: float

    @property
    def watched_s(self) -> float:
        """How much of `steady` is watched without a break."""
        return min(self.steady_s, LONGEST_WINDOW_S)


class Watch:
    """Looks until the service was good for long enough without a break.

    Raises `Permanent` once it is bad or the time is over, `NotYet` where a job would wait too long.
    """

    def __init__(
        self, look: Callable[[], Look], clock: Callable[[], float], pause: Callable[[float], None]
    ) -> None:
        self._look = look
        self._clock = clock
        self._pause = pause
        self._good_since: float | None = None
        self._run = ""
        self._broke = False

    def until_steady(self, window: Window, deadline_s: float) -> Look:
        """Return the last look of an unbroken row of good ones."""
        stop_at = self._clock() + min(_BUDGET_S, max(deadline_s - 5, 1))
        while True:
            look = self._look()
            now = self._clock()
            self._count(look, now)
            if look.verdict is not Verdict.GOOD:
                self._give_up_if_over(look, window, now)
            elif self._is_steady(window, now):
                return look
            if now >= stop_at:
                raise NotYet(Reason.NOT_HEALTHY, f"not steady yet: {look.why}", retry_after_s=1)
            self._pause(_EVERY_S)

    def _count(self, look: Look, now: float) -> None:
        if look.verdict is Verdict.BAD:
            raise Permanent(Reason.NOT_HEALTHY, f"{look.why}: read its log")
        if look.verdict is Verdict.WAITING or (self._good_since is not None and look.run != self._run):
            self._broke = self._broke or self._good_since is not None
            self._good_since = None
        if look.verdict is Verdict.GOOD and self._good_since is None:
            self._good_since = now
        self._run = look.run

    def _is_steady(self, window: Window, now: float) -> bool:
        left_s = window.since_s + window.steady_s - window.watched_s - now
        if left_s > 0:
            wait_s = max(1.0, min(left_s, _LOOK_IN_EVERY_S))
            raise NotYet(Reason.NOT_STEADY, f"healthy, to stay so for {left_s:.0f} s", retry_after_s=wait_s)
        return self._good_since is not None and now - self._good_since >= window.watched_s

    def _give_up_if_over(self, look: Look, window: Window, now: float) -> None:
        over_at = window.since_s + window.within_s + (window.steady_s if self._broke else 0)
        if now < over_at:
            return
        if self._broke:
            raise Permanent(Reason.NOT_STEADY, f"healthy for a while, then: {look.why}; read its log")
        raise Permanent(Reason.NOT_HEALTHY, f"not healthy within {window.within_s:g} s: {look.why}; read its log")
