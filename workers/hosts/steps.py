"""Doing the steps of a plan on a host: one script each, and a look at what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import NotYet, Permanent, RollbackError, Transient
from rules.plans import StepKind
from workers.hosts import commands, reports
from workers.hosts.health import judge_unit
from workers.hosts.http_probe import why_not_healthy
from workers.hosts.outcomes import COMMAND_FAILED, require_done
from workers.watching import Look, Verdict, Watch, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.plans import Step
    from workers.driver import Seen
    from workers.hosts.connection import Connection, Result
    from workers.hosts.reports import Report, Unit

_LOOK_S = 15.0
_LONGEST_LOCK_WAIT_S = 30
PROBE_S = 3.0
_DRAIN_LOOKS = 25


def ask(connection: Connection, argv: commands.Argv, current: str, deadline_s: float) -> Report:
    """Run a script and return what it saw; raises what its exit code stands for."""
    result = connection.run(argv, deadline_s=deadline_s)
    report = reports.parse(result.stdout, current)
    require_done(result, report, current)
    return report


class HostSteps:
    """The steps of one rollback on one host."""

    def __init__(
        self,
        connection: Connection,
        rollback: str,
        clock: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._connection = connection
        self._rollback = rollback
        self._clock = clock
        self._pause = pause

    def perform(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        """Do one step and say what was seen of it."""
        match step.kind:
            case StepKind.SWITCH:
                return self._switch(step, fence, deadline_s)
            case StepKind.RESTART:
                return self._restart(step, before, fence, deadline_s)
            case StepKind.HEALTH:
                return self._health(step, before, deadline_s)
            case StepKind.DRAIN | StepKind.UNDRAIN:
                return self._drain(step, fence)
            case StepKind.KEEP_STABLE:
                return self._keep_stable(step, fence, deadline_s)
            case _:
                raise ValueError(f"no host has a step {step.kind}")

    def unit(self, step: Step) -> Unit | None:
        """Look at the step's unit, None where it has none or systemd does not answer."""
        unit = step.values.get("unit")
        return ask(self._connection, commands.look(str(unit)), "", _LOOK_S).unit if unit else None

    def _switch(self, step: Step, fence: int, deadline_s: float) -> Seen:
        argv = commands.switch(step.values, fence, self._rollback, _wait_s(deadline_s))
        report = ask(self._connection, argv, str(step.values["current"]), deadline_s)
        return {"link": report.link.facts() if report.link else None}

    def _restart(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        values, current = step.values, str(step.values["current"])
        sudo = not self._connection.is_root
        argv = commands.restart(values, fence, self._rollback, _wait_s(deadline_s), sudo=sudo)
        result = self._connection.run(argv, deadline_s=deadline_s)
        report = reports.parse(result.stdout, current)
        began = report.unit is not None and report.unit["InvocationID"] != before.get("invocation")
        if result.exit != COMMAND_FAILED:
            require_done(result, report, current)
        elif values["kind"] != "systemd" or not began:
            raise _restart_refused(step, result, report)
        # A unit that was started and ended at once has been restarted: whether it is well, the next step asks.
        if values["kind"] == "systemd" and not began:
            raise Transient(Reason.COMMAND_FAILED, f"{values['unit']} was not started anew; tried again")
        return {"unit": report.unit.facts()} if report.unit else {"code": report.code}

    def _health(self, step: Step, before: Seen, deadline_s: float) -> Seen:
        values = step.values
        since_s = float(str(before["since_ms"])) / 1000
        window = Window(since_s, float(str(values["within_s"])), float(str(values["steady_s"])))
        # Our own restart began at nought; after a reload the unit goes on counting.
        restarts = 0 if values["kind"] == "systemd" else int(str(before.get("restarts", 0)))
        watch = Watch(lambda: self._look(step, restarts), self._clock, self._pause)
        look = watch.until_steady(window, deadline_s)
        return {"healthy": look.why, "steady_s": window.steady_s, "invocation": look.run}

    def _look(self, step: Step, restarts: int) -> Look:
        unit, url = step.values["unit"], step.values["url"]
        look = judge_unit(self.unit(step), step.values, restarts) if unit else Look(Verdict.GOOD, "")
        if look.verdict is not Verdict.GOOD or not url:
            return look
        why_not = why_not_healthy(str(url), PROBE_S)
        return Look(Verdict.WAITING if why_not else Verdict.GOOD, why_not or f"{url} answers well", look.run)

    def _keep_stable(self, step: Step, fence: int, deadline_s: float) -> Seen:
        argv = commands.keep_stable(step.values, fence, self._rollback, _wait_s(deadline_s))
        ask(self._connection, argv, str(step.values["current"]), deadline_s)
        return {"last_stable": step.values["name"]}

    def _drain(self, step: Step, fence: int) -> Seen:
        argv = commands.drain(step.values, fence, self._rollback, _LONGEST_LOCK_WAIT_S)
        for _ in range(_DRAIN_LOOKS):
            result = self._connection.run(argv, deadline_s=_LOOK_S + _LONGEST_LOCK_WAIT_S)
            report = reports.parse(result.stdout)
            require_done(result, report, str(step.values["current"]))
            if report.code is not None:
                return _drained(step, result, report.code)
            self._pause(0.2)
        raise NotYet(Reason.BACKOFF, f"waiting for the end of: {step.does}", retry_after_s=5)


def _wait_s(deadline_s: float) -> int:
    """How long a script may wait for the lock: half of what the step has, so that it can still do its work."""
    return max(1, min(_LONGEST_LOCK_WAIT_S, int(deadline_s / 2)))


def _drained(step: Step, result: Result, code: int) -> Seen:
    if code == 0:
        return {"code": 0}
    if code == 124:
        message = f"did not end within {step.values['within_s']} s: {step.does}. See why ({_said(result)})"
        raise Permanent(Reason.DEADLINE, message)
    raise _command_failed(step, result, code)


def _restart_refused(step: Step, result: Result, report: Report) -> RollbackError:
    unit = step.values.get("unit")
    if "a password is required" in result.said or "not allowed to execute" in result.said:
        message = f"sudo refuses: {_said(result)}. Allow the systemctl commands for {unit} in a sudoers file"
        return Permanent(Reason.RIGHTS_MISSING, message)
    return _command_failed(step, result, report.code or 0)


def _command_failed(step: Step, result: Result, code: int) -> RollbackError:
    if code in (126, 127):
        message = f"cannot be run on the host: {step.does} ({_said(result)}). Correct it in the inventory"
        return Permanent(Reason.TARGET_MISCONFIGURED, message)
    message = f"exit code {code} from: {step.does} ({_said(result)}); tried again"
    return Transient(Reason.COMMAND_FAILED, message)


def _said(result: Result) -> str:
    return result.said or "it did not say why"
