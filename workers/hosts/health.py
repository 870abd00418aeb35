"""Is the service healthy? One look judged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.hosts.processes import RunsFrom, runs_from
from workers.watching import Look, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.hosts.reports import Unit


_SETTLED_AFTER_S = 60.0


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


def is_standing(unit: Unit | None, values: Mapping[str, object], started_ago_s: float | None) -> bool:
    """Tell whether a unit that nobody has touched now is well; one that systemd started again just now is not."""
    look = judge_unit(unit, values, unit.restarts if unit else 0)
    again = unit is not None and unit.restarts > 0
    lately = started_ago_s is not None and started_ago_s < _SETTLED_AFTER_S
    return look.verdict is Verdict.GOOD and not (again and lately)


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
