"""The driver of workloads: what the runner asks for, in terms of templates, revisions and pods."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from rules.observations import Observation
from rules.plans import StepKind, StepState
from rules.rule import WhenPaused
from workers.kubernetes import marks, paths, preflight, rollout, writing
from workers.kubernetes.arrivals import arrived
from workers.kubernetes.catching_up import require_caught_up
from workers.kubernetes.details import details_of
from workers.kubernetes.evidence import Evidence
from workers.kubernetes.gitops.planning import with_owner, with_resume
from workers.kubernetes.gitops.standing import require_allowed, standing
from workers.kubernetes.gitops.steps import OwnerSteps
from workers.kubernetes.offers import Found, Offers, offer_of
from workers.kubernetes.plan import Goal, make_plan, make_way_back
from workers.kubernetes.reading import look
from workers.kubernetes.releases import releases_seen
from workers.kubernetes.restoring import NO_DIGESTS, Restoration, restoration
from workers.kubernetes.steps import WorkloadSteps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.ledger.suspensions import Suspensions
    from rules.instances import WorkloadInstance
    from rules.plans import Plan, Step
    from workers.driver import Seen
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.live import Live
    from workers.kubernetes.plan import Params
    from workers.kubernetes.releases import Recorded


class KubernetesDriver:
    """One workload, for one rollback.

    `recorded` gives the digests that were noted while revisions were healthy, by the workload's uid: one that was
    made anew has a life of its own. `suspensions` is told of owners that are paused. `clock` is wall time:
    `since_ms` in the journal must mean the same to a worker on another machine.
    """

    def __init__(
        self,
        cluster: Cluster,
        instance: WorkloadInstance,
        params: Params,
        rollback: str,
        *,
        recorded: Callable[[], Mapping[str, Recorded]] = dict,
        suspensions: Suspensions | None = None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster = cluster
        self._instance = instance
        self._params = params
        self._rollback = rollback
        self._recorded = recorded
        self._clock = clock
        self._steps = WorkloadSteps(cluster, instance, rollback, clock, pause)
        self._owners = OwnerSteps(cluster, instance, rollback, suspensions=suspensions, clock=clock, pause=pause)
        self._offers = Offers(cluster, instance, params)
        self._offered: Mapping[str, Found] = {}
        self._live: Live | None = None
        self._digests: Mapping[str, Recorded] | None = None
        self._tried = ""
        """The digest of the plan whose patch the API server has taken already, in a dry run."""

    def observe(self) -> Observation:
        """Look at the workload, its history and its pods."""
        live = self._look()
        self._offered = self._offers.of(live)
        return Observation(
            running=live.running,
            arrival=live.arrival,
            fence=marks.fence_of(live.workload),
            fence_owner=marks.annotations_of(live.workload).get(marks.ROLLBACK, ""),
            releases=releases_seen(live, self._noted(live), self._params.restore, self._params.pin),
            details=details_of(live),
            offers={word: offer_of(found) for word, found in self._offered.items()},
            no_history=live.no_history,
            labels=marks.labels_of(live.template),
            own_labels=marks.labels_of(live.workload),
            arrived=arrived(live, round(self._clock() * 1000)),
            brought_by=live.brought_by,
            platform=live.platform,
        )

    def plan(self, observation: Observation, to_release: str) -> Plan:
        """Say what going back takes; raises `Permanent` where the workload is not ours to change.

        Asks the API server, in a dry run, what it would store: an admission webhook may touch the template.
        """
        live = self._seen(observation)
        owner = require_allowed(live, self._params.gitops)
        if live.is_paused and self._params.when_paused is not WhenPaused.RESUME:
            message = f"the rollout of {live.name} is paused: resume it, or let the rule say `when-paused: resume`"
            raise Permanent(Reason.PAUSED, message)
        goal = self._goal(live, to_release)
        stands = standing(self._cluster, self._instance, self._params, live, owner, goal.template, to_release)

        def make(sha: str) -> Plan:
            plan = make_plan(self._instance, self._params, live, goal, stands.notes, stored=sha)
            return with_owner(plan, stands.pause, stands.resume)

        return self._foreseen(live, make)

    def plan_way_back(self, plan: Plan, observation: Observation) -> Plan:
        """Say what undoing takes, from where it stands."""
        live = self._seen(observation)

        def make(sha: str) -> Plan:
            return with_resume(make_way_back(self._instance, self._params, live, plan, stored=sha), plan)

        return self._foreseen(live, make)

    def preflight(self, plan: Plan) -> None:
        """Let the API server judge the very patch: rights, admission, a template that is still valid."""
        workload = (self._live or self._look()).workload
        preflight.check(self._cluster, self._instance, plan, workload, tried=plan.digest == self._tried)
        for step in plan.steps:
            if step.kind is StepKind.PAUSE_OWNER:
                self._owners.try_pause(step.values)

    def evidence(self) -> Seen:
        """Keep the pods' events and the newest of their logs; what cannot be had is recorded as such."""
        live = self._live or self._look()
        return Evidence(self._cluster, self._instance.namespace, self._params.evidence_logs_s).of(live)

    def before(self, step: Step) -> Seen:
        """Observe what tells this step's done from its not done."""
        if step.kind is StepKind.PATCH:
            was: Any = step.values["was"]
            return {"uid": was["metadata"]["uid"], "sha": was["sha"], "fence": marks.fence_of(was)}
        seen: dict[str, object] = {"since_ms": int(self._clock() * 1000)}
        if step.kind is StepKind.ROLLOUT:
            seen["missed_deadline"] = rollout.missed_deadline(self._cluster.get(paths.workload(self._instance)))
        return seen

    def inspect(self, step: Step, before: Seen, fence: int) -> StepState:  # noqa: ARG002 - the port's
        """Look whether a change was made. Looking, telling and deleting by uid are simply done again."""
        if step.kind is StepKind.PAUSE_OWNER:
            return self._owners.paused(step.values)
        if step.kind is not StepKind.PATCH:
            return StepState.NOT_DONE
        self._steps.newest = workload = self._cluster.get(paths.workload(self._instance))
        return writing.state_of(step.values, workload, self._rollback)

    def perform(self, step: Step, before: Seen, fence: int, deadline_s: float) -> Seen:
        """Do the step as a compare-and-set, and see it done."""
        if step.kind is StepKind.PAUSE_OWNER:
            return self._owners.pause(step.values, fence, deadline_s)
        if step.kind is StepKind.RESUME_OWNER:
            return self._owners.resume(step.values, deadline_s)
        return self._steps.perform(step, before, fence, deadline_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._cluster.close()

    def _look(self) -> Live:
        self._live = live = look(self._cluster, self._instance)
        self._steps.newest = live.workload
        require_caught_up(live, self._clock())
        return live

    def _foreseen(self, live: Live, make: Callable[[str], Plan]) -> Plan:
        """Return the plan by what the API server would store of it, which is not always what is sent."""
        plan = make("")
        stored = preflight.stored_sum(self._cluster, self._instance, plan, live.workload)
        if stored:
            plan = make(stored)
            self._tried = plan.digest
        return plan

    def _seen(self, observation: Observation) -> Live:
        """Return the look that an observation came from, or a new one where it is another by now."""
        live = self._live
        if live is None or live.arrival != observation.arrival:
            live = self._look()
        return live

    def _noted(self, live: Live) -> Recorded:
        if self._digests is None:
            self._digests = self._recorded()
        return self._digests.get(live.uid, {})

    def _goal(self, live: Live, release: str) -> Goal:
        revision = next((revision for revision in live.earlier if live.name_of(revision) == release), None)
        if revision is None:
            return self._offered_goal(live, release)
        digests = self._noted(live).get(revision.hash, NO_DIGESTS)
        found = restoration(revision, live.template, self._params.restore, self._params.pin, digests)
        if not isinstance(found, Restoration):
            reason, why = found
            raise Permanent(reason, f"{release}: {why}")
        notes = (found.note,) if found.note else ()
        return Goal(release, found.template, digests=found.digests, notes=notes)

    def _offered_goal(self, live: Live, release: str) -> Goal:
        for found in self._offered.values():
            if isinstance(found, Goal) and found.release == release:
                return found
        message = f"{live.name} has no release {release} any more: name another"
        raise Permanent(Reason.RELEASE_MISSING, message)
