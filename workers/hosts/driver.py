"""The driver of services on hosts: what the runner asks for, in terms of links, units and scripts."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from rules.errors import RollbackError
from rules.plans import StepKind, StepState
from workers.hosts import commands, preflight, reports
from workers.hosts.arrivals import clock_off_ms, started_ago_s
from workers.hosts.health import is_standing
from workers.hosts.http_probe import why_not_healthy
from workers.hosts.known import require_known
from workers.hosts.observing import observation, with_told
from workers.hosts.plan import make_plan, make_way_back, release_path, url_at
from workers.hosts.steps import PROBE_S, HostSteps, ask
from workers.hosts.takeover import restart_state, switch_state
from workers.hosts.telling import told_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from rules.instances import HostInstance
    from rules.inventory import Host, Service
    from rules.observations import Observation
    from rules.plans import Plan, Step
    from workers.driver import Seen
    from workers.hosts.connection import Connection
    from workers.hosts.plan import Params
    from workers.hosts.reports import Report

_LOOK_S = 15.0
_EVIDENCE_S = 10.0
_MOST_LOG_BYTES = 256 << 10
_LOCK_WAIT_S = 30
_TOO_QUICKLY = "Start request repeated too quickly"


class HostDriver:
    """One service on one host, for one rollback.

    `clock` is wall time: `since_ms` in the journal must mean the same to a worker on another machine.
    """

    def __init__(
        self,
        connection: Connection,
        instance: HostInstance,
        service: Service,
        host: Host,
        params: Params,
        rollback: str,
        *,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = connection
        self._instance = instance
        self._service = service
        self._host = host
        self._params = params
        self._clock = clock
        self._steps = HostSteps(connection, rollback, clock, pause)
        self._seen: Observation | None = None
        self._report_seen: Report | None = None

    def observe(self) -> Observation:
        """Look at link, releases, fence and unit in one round trip."""
        asked_ms = round(self._clock() * 1000)
        report = self._report(wait_s=0)
        off_ms = clock_off_ms(report.now_ms, asked_ms, round(self._clock() * 1000))
        seen = observation(report, self._service, off_ms)
        if self._service.version_url:
            seen = with_told(seen, told_by(url_at(self._service.version_url, self._host)))
        self._report_seen = report
        self._seen = replace(seen, labels=self._host.labels)
        return self._seen

    def is_well(self) -> bool | None:
        """Tell whether the service is healthy as it stands, from the last look; None where nothing says so.

        Asks its health URL, where it has one.
        """
        report, service = self._report_seen, self._service
        health, unit = service.health, service.restart.unit
        if report is None or self._seen is None or (unit is None and not (health and health.url)):
            return None
        if "problem" in self._seen.details:
            return False
        if unit is not None and not is_standing(report.unit, self._standing(report), started_ago_s(report)):
            return False
        return not (health and health.url and why_not_healthy(url_at(health.url, self._host), PROBE_S))

    def _standing(self, report: Report) -> dict[str, object]:
        """Say what a unit that runs the present release must look like."""
        service, target = self._service, report.link.target if report.link else ""
        return {
            "unit": service.restart.unit,
            "kind": str(service.restart.kind),
            "release": release_path(service.current, target),
            "releases": service.releases,
            "current": service.current,
        }

    def plan(self, observation: Observation, to_release: str) -> Plan:
        """Say what going back takes."""
        instance = self._instance.id
        return make_plan(instance, self._service, self._host, self._params, observation, to_release)

    def plan_way_back(self, plan: Plan, observation: Observation) -> Plan:
        """Say what undoing takes, from where it stands."""
        return make_way_back(plan, self._service, self._host, self._params, observation)

    def preflight(self, plan: Plan) -> None:
        """Judge what was last observed; only sudo has to be asked on the spot, and root asks nobody."""
        preflight.check(plan, self._service, self._seen or self.observe())
        restart = self._service.restart
        verbs = commands.sudo_verbs(restart.kind, restart.signal)
        if restart.unit and verbs and not self._connection.is_root:
            report = ask(self._connection, commands.rights(restart.unit, verbs), "", _LOOK_S)
            preflight.check_sudo(report.named("refused") | report.named("no-tool"))

    def evidence(self) -> Seen:
        """Keep the unit's state and the newest of its log; what cannot be had is recorded as such."""
        unit = self._service.restart.unit
        if unit is None:
            return {"unit": None, "observed": dict(self._seen.details) if self._seen else {}}
        try:
            argv = commands.evidence(unit, self._params.evidence_logs_s, _MOST_LOG_BYTES)
            report = reports.parse(self._connection.run(argv, deadline_s=_EVIDENCE_S).stdout)
        except RollbackError as error:
            return {"unit": unit, "unavailable": str(error)}
        if report.unit is None:
            return {"unit": unit, "unavailable": "systemd tells nothing of it"}
        log = report.log or ""
        return {
            "unit": unit,
            "state": report.unit.facts(),
            "restarts": report.unit.restarts,
            # Where the last start failed by itself, Result tells of that, and only the log of the limit.
            "start_limit_hit": report.unit["Result"] == "start-limit-hit" or _TOO_QUICKLY in log,
            "log": log,
            "log_cut": len(log.encode()) >= _MOST_LOG_BYTES,
        }

    def before(self, step: Step) -> Seen:
        """Observe what tells this step's done from its not done."""
        require_known(step, self._service, self._host)
        if step.kind is StepKind.SWITCH:
            # The script changes this link and no other, so this is what stood before the step whenever it acts.
            return cast("Seen", step.values["planned"])
        if step.kind not in (StepKind.RESTART, StepKind.HEALTH):
            return {}
        unit = self._steps.unit(step)
        seen: dict[str, object] = {"since_ms": int(self._clock() * 1000)}
        if unit:
            seen |= {"invocation": unit["InvocationID"], "restarts": unit.restarts}
        return seen

    def inspect(self, step: Step, before: Seen, fence: int) -> StepState:  # noqa: ARG002 - the port's
        """Wait for a script that may still be at work, then look what it has done."""
        require_known(step, self._service, self._host)
        if step.kind is StepKind.SWITCH:
            return switch_state(self._report(wait_s=_LOCK_WAIT_S), step.values, before)
        if step.kind is StepKind.RESTART and step.values["kind"] == "systemd":
            return restart_state(self._report(wait_s=_LOCK_WAIT_S).unit, before)
        # Looking, and commands that must bear being run twice, are simply done again.
        return StepState.NOT_DONE

    def perform(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        """Do the step under the host's lock, and see it done."""
        require_known(step, self._service, self._host)
        return self._steps.perform(step, before, fence, deadline_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _report(self, wait_s: int) -> Report:
        service = self._service
        argv = commands.observe(
            service.current,
            service.releases,
            executable=service.executable,
            complete=service.complete,
            unit=service.restart.unit,
            wait_s=wait_s,
        )
        return ask(self._connection, argv, service.current, _LOOK_S + wait_s)
