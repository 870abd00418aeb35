"""The Kubernetes driver, used as the runner uses it, without runner and ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.ledger.suspensions import Suspensions
from rules.errors import NotYet
from rules.instances import WorkloadInstance, WorkloadKind
from rules.observations import Observation
from rules.plans import Plan, Step, StepKind
from rules.releases import Choice, choose
from testbed.cluster import Cluster as TestCluster
from workers.driver import Seen
from workers.kubernetes.access import Cluster
from workers.kubernetes.credentials import kubeconfig
from workers.kubernetes.driver import KubernetesDriver
from workers.kubernetes.plan import Params

ROLLBACK = "rtest00001"
FENCE = 1000
_LONGEST_S = 90.0


def params(**over: Any) -> Params:
    """Return the params of a rule that is quickly content."""
    return Params(**{"steady_s": 0.5, "healthy_within_s": 60, "who": "canary-errors", **over})


@dataclass
class Driven:
    """One workload under one rollback, step by step or all at once."""

    cluster: TestCluster
    namespace: str
    kind: WorkloadKind
    name: str
    params: Params = field(default_factory=params)
    rollback: str = ROLLBACK
    fence: int = FENCE
    recorded: Callable[[], Mapping[str, Mapping[str, str]]] = dict
    life: str = ""
    kubeconfig: Path | None = None
    suspensions: Suspensions | None = None

    def __post_init__(self) -> None:
        self.api = CountedCluster("test", self._way, timeout_s=5)
        instance = WorkloadInstance("test", self.namespace, self.kind, self.name)
        self.driver = KubernetesDriver(
            self.api,
            instance,
            self.params,
            self.rollback,
            recorded=self._noted,
            suspensions=self.suspensions,
        )

    def _noted(self) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
        """Return what is recorded of this life of the workload, or of the one that the test names."""
        api_kind = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}[self.kind]
        uid = self.life or self.cluster.get(api_kind, self.namespace, self.name)["metadata"]["uid"]
        return {uid: self.recorded()}

    def _way(self) -> Any:
        return kubeconfig(self.kubeconfig or self.cluster.kubeconfig, None)

    def observed(self) -> Observation:
        """Observe, as soon as the controller has caught up."""
        return self.patiently(self.driver.observe)

    def choice(self, left: frozenset[str] = frozenset()) -> Choice:
        """Choose where to go by what is observed now."""
        return choose(self.params.to, self.observed(), left)

    def planned(self, left: frozenset[str] = frozenset()) -> Plan:
        """Observe, choose, plan."""
        seen = self.observed()
        choice = choose(self.params.to, seen, left)
        assert choice.chosen, choice.candidates
        return self.driver.plan(seen, choice.chosen)

    def goes_back(self, left: frozenset[str] = frozenset()) -> Plan:
        """Do all that a rollback does, and return its plan."""
        plan = self.planned(left)
        self.driver.evidence()
        self.driver.preflight(plan)
        self.carry_out(plan)
        return plan

    def carry_out(self, plan: Plan) -> dict[StepKind, Seen]:
        """Do every step."""
        return {step.kind: self.does(step) for step in plan.steps}

    def does(self, step: Step) -> Seen:
        """Do one step."""
        before = self.driver.before(step)
        return self.patiently(lambda: self.driver.perform(step, before, self.fence, 30))

    def step(self, plan: Plan, kind: StepKind) -> Step:
        """Return the plan's step of a kind."""
        return next(step for step in plan.steps if step.kind is kind)

    def patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask again for as long as nothing is wrong."""
        over = time.monotonic() + _LONGEST_S
        while True:
            try:
                return ask()
            except NotYet as e:
                if time.monotonic() > over:
                    raise
                time.sleep(min(e.retry_after_s, 0.2))


class CountedCluster(Cluster):
    """A connection that counts its calls."""

    calls: list[str]

    def _answer(self, verb: str, method: str, path: str, *rest: Any, **sent: Any) -> Any:
        self.__dict__.setdefault("calls", []).append(f"{method} {path}")
        return super()._answer(verb, method, path, *rest, **sent)
