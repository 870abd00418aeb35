"""What the runner asks of a kind of target. Hosts answer it in `workers.hosts`; Kubernetes will beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rules.observations import Observation
from rules.plans import Plan, Step, StepState

Seen = Mapping[str, object]
"""JSON-able facts that go into the journal."""


class Driver(Protocol):
    """One instance, reached. Every method may raise `Transient` or `Permanent`, and nothing else of its own.

    A driver is used by one job, in one thread, and closed by it.
    """

    def observe(self) -> Observation:
        """Look at the target; changes nothing."""

    def plan(self, observation: Observation, to_release: str) -> Plan:
        """Say what going back to `to_release` takes; pure but for what `observation` holds."""

    def plan_way_back(self, plan: Plan, observation: Observation) -> Plan:
        """Say what it takes to undo `plan` from where it stands, under the same compare-and-set."""

    def preflight(self, plan: Plan) -> None:
        """Raise `Permanent` if the plan cannot work: rights, disk, release whole; changes nothing."""

    def evidence(self) -> Seen:
        """Keep what going back destroys: a log window, the unit's state. Never raises `Permanent`."""

    def before(self, step: Step) -> Seen:
        """Observe what `inspect` will need to tell whether the step was done."""

    def inspect(self, step: Step, before: Seen, fence: int) -> StepState:
        """Tell whether a step that was begun by somebody who died has been done."""

    def perform(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        """Do the step, observe that it is done, and say what was seen.

        Refuses (`Permanent`, `stale-fence` or `changed-meanwhile`) when the target moved on.
        Raises `NotYet` when it waits for something longer than a job should.
        """

    def close(self) -> None:
        """Let go of the connection."""
