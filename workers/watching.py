"""Looking again and again until something is well and stays so. One look is judged by whoever knows the target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_WINDOW_S = 20.0
"""How long a job looks without a break. Of a longer `steady`, this much is watched at its end; a restart in
between is still noticed, by a counter of the target's own."""

_BUDGET_S = 25.0
_LOOK_IN_EVERY_S = 10.0


class Verdict(StrEnum):
    """What one look says. Waiting may become good; bad will not, without somebody doing something."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Look:
    """One look. `run` tells one life of what is looked at from the next; `reason` says in what way it is bad.

    `moved_s` is when it last got further, where it gets there by and by. `fails` is False where nothing of it is
    known to be wrong: it waits for something else, and is not done.
    """

    verdict: Verdict
    why: str
    run: str = ""
    reason: Reason = Reason.NOT_HEALTHY
    moved_s: float | None = None
    fails: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """What is waited for: healthy within so long of `since_s`, or of the last progress since; then steady."""

    since_s: float
    within_s: float
    steady_s: float

    @property
    def watched_s(self) -> float:
        """How much of `steady` is watched without a break."""
        return min(self.steady_s, LONGEST_WINDOW_S)


class Watch:
    """Looks until it was good for long enough without a break.

    Raises `Permanent` once it is bad or the time is over, `NotYet` where a job would wait too long. `advice` ends
    what a person is told. `waits_s` is how long a job stays with what is not good yet: what takes its time should
    not keep a worker from another's first change.
    """

    def __init__(
        self,
        look: Callable[[], Look],
        clock: Callable[[], float],
        pause: Callable[[float], None],
        *,
        every_s: float = 0.25,
        waits_s: float = _BUDGET_S,
        advice: str = "read its log",
    ) -> None:
        self._look = look
        self._clock = clock
        self._pause = pause
        self._every_s = every_s
        self._waits_s = waits_s
        self._advice = advice
        self._good_since: float | None = None
        self._run = ""
        self._broke = False

    def until_steady(self, window: Window, deadline_s: float) -> Look:
        """Return the last look of an unbroken row of good ones."""
        begun = self._clock()
        stop_at = begun + min(_BUDGET_S, max(deadline_s - 5, 1))
        while True:
            asked_at = self._clock()
            look = self._look()
            now = self._clock()
            self._count(look, now)
            if look.verdict is not Verdict.GOOD:
                self._give_up_if_over(look, window, now)
                if now - begun >= self._waits_s:
                    raise NotYet(Reason.NOT_HEALTHY, f"not there yet: {look.why}", retry_after_s=1)
            elif self._is_steady(look, window, now):
                return look
            if now >= stop_at:
                raise NotYet(Reason.NOT_HEALTHY, f"not steady yet: {look.why}", retry_after_s=1)
            self._pause(max(self._every_s, 2 * (now - asked_at)))  # a target that is slow to tell is asked less

    def _count(self, look: Look, now: float) -> None:
        if look.verdict is Verdict.BAD:
            raise Permanent(look.reason, f"{look.why}: {self._advice}")
        if look.verdict is Verdict.WAITING or (self._good_since is not None and look.run != self._run):
            self._broke = self._broke or self._good_since is not None
            self._good_since = None
        if look.verdict is Verdict.GOOD and self._good_since is None:
            self._good_since = now
        self._run = look.run

    def _is_steady(self, look: Look, window: Window, now: float) -> bool:
        left_s = _since_s(look, window, now) + window.steady_s - window.watched_s - now
        if left_s > 0:
            wait_s = max(1.0, min(left_s, _LOOK_IN_EVERY_S))
            raise NotYet(Reason.NOT_STEADY, f"healthy, to stay so for {left_s:.0f} s", retry_after_s=wait_s)
        return self._good_since is not None and now - self._good_since >= window.watched_s

    def _give_up_if_over(self, look: Look, window: Window, now: float) -> None:
        since_s = _since_s(look, window, now)
        over_at = since_s + window.within_s + (window.steady_s if self._broke else 0)
        if now < over_at:
            return
        time = (
            f"{window.within_s:g} s"
            if since_s == window.since_s
            else f"{window.within_s:g} s of its last progress"
        )
        if not look.fails:
            message = f"nothing fails, but it was not done within {time}; it waits: {look.why}; {self._advice}"
            raise Permanent(Reason.UNKNOWN_STATE, message)
        if self._broke:
            raise Permanent(Reason.NOT_STEADY, f"healthy for a while, then: {look.why}; {self._advice}")
        raise Permanent(Reason.NOT_HEALTHY, f"not healthy within {time}: {look.why}; {self._advice}")


def _since_s(look: Look, window: Window, now: float) -> float:
    """Return from when on time is counted. Another machine's clock may be ahead: what is to come is now."""
    return window.since_s if look.moved_s is None else max(window.since_s, min(look.moved_s, now))
