"""When a restarted service counts as healthy, when it cannot become so any more, and how long is looked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from rules.plans import StepState
from workers.hosts.health import judge_unit
from workers.hosts.processes import RunsFrom, runs_from
from workers.hosts.reports import Unit
from workers.hosts.takeover import restart_state
from workers.watching import Look, Verdict, Watch, Window

VALUES = {
    "unit": "shop.service",
    "kind": "systemd",
    "releases": "/opt/shop/releases",
    "release": "/opt/shop/releases/v1.2.0",
    "current": "/opt/shop/current",
}
PLACES = {key: VALUES[key] for key in ("releases", "release", "current")}


def unit(
    *, exe: str = "", cwd: str = "/opt/shop/releases/v1.2.0", arguments: tuple[str, ...] = (), **properties: str
) -> Unit:
    well = {"ActiveState": "active", "SubState": "running", "MainPID": "7", "NRestarts": "0", "InvocationID": "a"}
    return Unit({**well, **properties}, exe, cwd, arguments)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (unit(), Verdict.GOOD),
        (unit(ActiveState="activating", SubState="start"), Verdict.WAITING),
        (unit(ActiveState="deactivating", SubState="stop-sigterm"), Verdict.WAITING),
        (unit(ActiveState="activating", SubState="auto-restart"), Verdict.BAD),
        (unit(NRestarts="1"), Verdict.BAD),
        (unit(ActiveState="failed", SubState="failed", Result="start-limit-hit"), Verdict.BAD),
        (unit(ActiveState="inactive", SubState="dead"), Verdict.BAD),
        (unit(cwd="/opt/shop/releases/v1.3.0"), Verdict.BAD),
        (unit(cwd="/"), Verdict.WAITING),
        (unit(MainPID="0"), Verdict.WAITING),
        (unit(MainPID="0", SubState="exited"), Verdict.GOOD),
        (None, Verdict.WAITING),
    ],
)
def test_one_look_at_a_unit(seen: Unit | None, verdict: Verdict) -> None:
    """Bad is only what cannot become good by waiting."""
    assert judge_unit(seen, VALUES, 0).verdict is verdict


def test_a_unit_that_was_only_reloaded_keeps_its_process_and_its_count() -> None:
    """Its process began under another release, and its earlier restarts are not ours."""
    values = {**VALUES, "kind": "reload"}
    seen = unit(cwd="/opt/shop/releases/v1.3.0", NRestarts="3")
    assert judge_unit(seen, values, 3).verdict is Verdict.GOOD
    assert judge_unit(seen, values, 2).verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("seen", "where"),
    [
        (unit(exe="/opt/shop/releases/v1.2.0/bin/shop", cwd="/"), RunsFrom.TARGET),
        (unit(exe="/opt/shop/releases/v1.2.0", cwd="/"), RunsFrom.TARGET),
        (unit(exe="/opt/shop/releases/v1.2.01/bin/shop", cwd="/"), RunsFrom.ELSEWHERE),
        (unit(exe="/opt/shop/releases/v1.3.0/bin/shop (deleted)", cwd="/"), RunsFrom.ELSEWHERE),
        (unit(cwd="", arguments=("python3", "/opt/shop/current/app.py")), RunsFrom.TARGET),
        (unit(cwd="", arguments=("java", "-cp=/opt/shop/releases/v1.2.0/a.jar:/x")), RunsFrom.TARGET),
        (unit(cwd="", arguments=("sh", "/opt/shop/releases/v1.3.0/run")), RunsFrom.ELSEWHERE),
        (unit(cwd="", arguments=("sh", "/opt/shop/currently")), RunsFrom.UNTOLD),
        (unit(cwd="", WorkingDirectory="/opt/shop/current"), RunsFrom.TARGET),
        (unit(cwd="", ExecStart="{ path=/opt/shop/current/bin/shop ; argv[]=… }"), RunsFrom.TARGET),
        (unit(cwd="/opt/shop/releases/v1.3.0", WorkingDirectory="/opt/shop/current"), RunsFrom.ELSEWHERE),
        (unit(cwd="/", arguments=("nginx: master process",)), RunsFrom.UNTOLD),
        (unit(MainPID="0"), RunsFrom.NO_PROCESS),
    ],
)
def test_where_a_process_runs_from(seen: Unit, where: RunsFrom) -> None:
    """What the kernel says outranks what the process was told, and that outranks what the unit's file says."""
    assert runs_from(seen, **PLACES) is where


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (unit(InvocationID="a"), StepState.NOT_DONE),
        (unit(InvocationID="b"), StepState.DONE),
        (unit(InvocationID="b", ActiveState="activating"), StepState.DONE),
        (unit(InvocationID="b", ActiveState="failed"), StepState.NOT_DONE),
        (unit(InvocationID="", ActiveState="inactive"), StepState.NOT_DONE),
        (None, StepState.NOT_DONE),
    ],
)
def test_whether_a_dead_worker_restarted_it(seen: Unit | None, state: StepState) -> None:
    """A life that began after the intent was written, and that is not over."""
    assert restart_state(seen, {"invocation": "a"}) is state


GOOD, WAIT, BAD = (
    Look(Verdict.GOOD, "well", "a"),
    Look(Verdict.WAITING, "503", "a"),
    Look(Verdict.BAD, "dead", "a"),
)
AGAIN = Look(Verdict.GOOD, "well", "b")


def watch(looks: Iterator[Look] | list[Look], window: Window, deadline_s: float = 60) -> tuple[Look, float]:
    """Watch one look a second, the last one for ever; return the answer and the time it took."""
    now = 0.0
    script = iter(looks)
    last = GOOD

    def look() -> Look:
        nonlocal last
        last = next(script, last)
        return last

    def pause(_: float) -> None:
        nonlocal now
        now += 1

    return Watch(look, lambda: now, pause).until_steady(window, deadline_s), now


SHORT = Window(since_s=0, within_s=8, steady_s=3)


def test_good_for_long_enough_without_a_break() -> None:
    """Steady counts from the first good look, and from the start again after a bad one or another restart."""
    assert watch([GOOD], SHORT) == (GOOD, 3)
    assert watch([WAIT, WAIT, GOOD], SHORT) == (GOOD, 5)
    assert watch([GOOD, GOOD, WAIT, GOOD], SHORT) == (GOOD, 6)
    assert watch([GOOD, GOOD, AGAIN], SHORT) == (AGAIN, 5)


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ([WAIT], Reason.NOT_HEALTHY),
        ([GOOD, WAIT], Reason.NOT_STEADY),
        ([GOOD, WAIT] * 9, Reason.NOT_STEADY),
        ([WAIT, BAD], Reason.NOT_HEALTHY),
    ],
)
def test_not_in_time_or_not_at_all(looks: list[Look], reason: Reason) -> None:
    """Never good, good but not steady, or bad at once: each has its reason."""
    with pytest.raises(Permanent) as over:
        watch(looks, SHORT)
    assert over.value.reason is reason


@pytest.mark.parametrize(
    ("moved_s", "fails", "over_s", "reason"),
    [
        (None, True, 8, Reason.NOT_HEALTHY),
        (5, True, 13, Reason.NOT_HEALTHY),
        (-5, True, 8, Reason.NOT_HEALTHY),
        (5, False, 13, Reason.UNKNOWN_STATE),
    ],
)
def test_time_is_counted_from_the_last_progress(
    moved_s: float | None, fails: bool, over_s: float, reason: Reason
) -> None:
    """What gets further has its time again; what only waits is not said to be bad when it is over."""
    ends: list[float] = []

    def look() -> Look:
        return Look(Verdict.WAITING, "3 of 8 pods available", moved_s=moved_s, fails=fails)

    def now() -> float:
        return float(len(ends))

    with pytest.raises(Permanent) as over:
        Watch(look, now, ends.append).until_steady(SHORT, 60)
    assert (over.value.reason, now()) == (reason, over_s)


def test_a_clock_that_is_ahead_is_not_believed() -> None:
    """Progress that is still to come is progress of this moment, so it never is too late; nor does it raise."""
    with pytest.raises(NotYet):
        watch([Look(Verdict.WAITING, "1 of 2", moved_s=1e12)], SHORT)


def test_a_job_does_not_wait_for_long() -> None:
    """What needs more is asked again later, at no cost to the attempts."""
    with pytest.raises(NotYet):
        watch([WAIT], Window(since_s=0, within_s=300, steady_s=3))


def test_a_long_steady_is_looked_in_on_and_watched_at_its_end() -> None:
    """Of two minutes the last twenty seconds are watched without a break."""
    with pytest.raises(NotYet) as early:
        watch([GOOD], Window(since_s=0, within_s=30, steady_s=120))
    assert early.value.retry_after_s == 10
    assert watch([GOOD], Window(since_s=-100, within_s=30, steady_s=120)) == (GOOD, 20)
