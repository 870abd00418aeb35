"""What the product does that needs a right: for each verb on each resource of the table, by its own parts.

Each operation returns what was left out, in the words that people are told, or raises what stopped it.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.alerts import Alert
from rules.decisions import Reason
from rules.plans import StepKind
from rules.rule import Gitops, KubernetesTarget, Rule, Target, When
from rules.to import Previous, SameAs, ScaleToZero
from testbed.chart_grants import Grain
from testbed.rights_stage import OWNED, Stage, step_of
from testbed.workloads import INSTANCE
from workers.keeping import Keeper
from workers.kubernetes import recording
from workers.kubernetes.finding import KubernetesFinder
from workers.kubernetes.gitops.looking_after import look_after_paused

Operation = Callable[[Stage], str]
_A_DAY_S = 86_400


def looks_at(name: str) -> Operation:
    """Look at a workload, its history and its pods."""

    def operation(stage: Stage) -> str:
        assert stage.driven(name).choice().chosen
        return ""

    return operation


def finds_by_pod(stage: Stage) -> str:
    """Follow an alert about a pod to its Deployment."""
    return _finds(stage, KubernetesTarget(), pod=stage.scene.pod())


def finds_by_selector(stage: Stage) -> str:
    """Follow an alert to what a rule selects."""
    return _finds(stage, KubernetesTarget(selector={INSTANCE: "web"}))


def _finds(stage: Stage, target: KubernetesTarget, **labels: str) -> str:
    rule = Rule("r", When(), Target(kubernetes=target), (Previous(),))
    alert = Alert("f", "firing", {"namespace": stage.scene.namespace, **labels}, {}, 0)
    reached = stage.asks()
    located, decision = KubernetesFinder(lambda _: reached, ["test"]).find(rule, alert, ())
    assert decision is None
    assert [one.instance.name for one in located if one.instance] == ["web"]
    return ""


def sweeps(stage: Stage) -> str:
    """Look the namespace over, as the observer does."""
    keeper = Keeper(stage.ledger, "kubernetes/test", _A_DAY_S).open()
    return recording.sweep(stage.asks(), stage.ledger.sightings, keeper)


def looks_for_the_stable_one(stage: Stage) -> str:
    """Ask for other workloads of the service; there is none, and the entry after it is taken."""
    return _offered(stage, SameAs({"track": ("stable",)}), Reason.STABLE_NOT_READY)


def offers_scale_to_zero(stage: Stage) -> str:
    """Ask whether others would serve; where that cannot be told, the entry after it is taken."""
    return _offered(stage, ScaleToZero(), None)


def _offered(stage: Stage, entry: SameAs | ScaleToZero, otherwise: Reason | None) -> str:
    one = stage.driven("web", to=(entry, Previous()))
    (offer,) = one.observed().offers.values()
    reason, why = offer.refused or (None, "")
    assert one.choice().chosen
    if reason is Reason.FORBIDDEN:
        return why
    assert reason is otherwise
    return ""


def goes_back(name: str) -> Operation:
    """Do all that a rollback does; an Event that cannot be made is left out."""

    def operation(stage: Stage) -> str:
        one = stage.driven(name)
        plan = one.planned()
        one.driver.preflight(plan)
        seen = one.carry_out(plan)
        assert stage.scene.image(name).endswith(":v1")
        return str(seen[StepKind.ANNOUNCE].get("why", ""))

    return operation


def does(name: str, kind: StepKind) -> Operation:
    """Do a plan up to one step, without asking beforehand whether it may be done."""

    def operation(stage: Stage) -> str:
        one = stage.driven(name)
        plan = one.planned()
        for step in plan.steps[: step_of(plan, kind)]:
            one.does(step)
        seen = one.does(plan.steps[step_of(plan, kind)])
        assert kind is not StepKind.DELETE_PODS or seen["deleted"] == ["stuck-0"]
        return ""

    return operation


def is_asked_before(name: str) -> Operation:
    """Let the API server judge a plan, before any of it is done."""

    def operation(stage: Stage) -> str:
        one = stage.driven(name)
        one.driver.preflight(one.planned())
        return ""

    return operation


def keeps_evidence(stage: Stage) -> str:
    """Keep logs and events; what may not be read is left out, and the other is kept."""
    kept = stage.driven("web").driver.evidence()
    (pod,) = kept["pods"]  # type: ignore[misc, attr-defined]
    parts = (kept["events"], *pod["logs"].values())
    left_out = kept.get("unavailable", [])
    assert [part is None for part in parts].count(True) == len(left_out) < len(parts)  # type: ignore[arg-type]
    return "; ".join(left_out)  # type: ignore[arg-type]


def pauses(name: str, *, asks_before: bool = True) -> Operation:
    """Pause an owner, and let it go on when a person asks for it."""

    def operation(stage: Stage) -> str:
        one = stage.driven(name, gitops=Gitops.PAUSE)
        plan = one.planned()
        if asks_before:
            one.driver.preflight(plan)
        assert one.does(plan.steps[step_of(plan, StepKind.PAUSE_OWNER)]) == {"paused": True}
        owner = f"test/{OWNED[name].lower()}/{stage.scene.namespace}/{name}"
        assert stage.ledger.suspensions.ask_resume(owner, by="ada")
        look_after_paused(one.api, stage.ledger)
        assert stage.ledger.suspensions.list() == ()
        return ""

    return operation


def _of_workloads() -> dict[Grain, tuple[Operation, ...]]:
    lists = (finds_by_selector, looks_for_the_stable_one, sweeps)
    found: dict[Grain, tuple[Operation, ...]] = {}
    for resource, name in {"deployments": "api", "statefulsets": "db", "daemonsets": "agent"}.items():
        found[Grain("get", "apps", resource)] = (looks_at(name),)
        found[Grain("list", "apps", resource)] = lists
        found[Grain("patch", "apps", resource)] = (goes_back(name), does(name, StepKind.PATCH))
    return found


def _of_owners() -> dict[Grain, tuple[Operation, ...]]:
    found: dict[Grain, tuple[Operation, ...]] = {}
    for name, group, resource in (
        ("by-argo", "argoproj.io", "applications"),
        ("by-kustomize", "kustomize.toolkit.fluxcd.io", "kustomizations"),
        ("by-helm", "helm.toolkit.fluxcd.io", "helmreleases"),
    ):
        found[Grain("get", group, resource)] = (pauses(name),)
        found[Grain("patch", group, resource)] = (pauses(name), pauses(name, asks_before=False))
    return found


WITHIN_A_ROLE: dict[Grain, tuple[Operation, ...]] = {
    **_of_workloads(),
    Grain("get", "apps", "replicasets"): (finds_by_pod,),
    Grain("list", "apps", "replicasets"): (looks_at("api"),),
    Grain("list", "apps", "controllerrevisions"): (looks_at("db"), looks_at("agent")),
    Grain("get", "", "pods"): (finds_by_pod,),
    Grain("list", "", "pods"): (looks_at("api"), looks_at("db"), looks_at("agent")),
    Grain("delete", "", "pods"): (is_asked_before("stuck"), does("stuck", StepKind.DELETE_PODS)),
    Grain("list", "", "services"): (offers_scale_to_zero,),
    Grain("list", "keda.sh", "scaledobjects"): (offers_scale_to_zero,),
    Grain("get", "", "pods/log"): (keeps_evidence,),
    Grain("list", "", "events"): (keeps_evidence,),
    Grain("create", "", "events"): (goes_back("api"),),
    **_of_owners(),
}
WITHIN_A_CLUSTER_ROLE = {Grain("list", "argoproj.io", "applications"): (pauses("unmarked"),)}
OPERATIONS = {**WITHIN_A_ROLE, **WITHIN_A_CLUSTER_ROLE}
"""For each right what needs it; the first of them stops, or leaves out what the table says, without it."""
