"""What only the API server can say before the first change: whether we may, and whether it takes what we write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import StepKind
from workers.kubernetes import paths, writing
from workers.kubernetes.failures import Forbidden, Refused
from workers.kubernetes.marks import MANAGER
from workers.kubernetes.patches import change_patch
from workers.kubernetes.rights import right_for
from workers.kubernetes.templates import sha_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.instances import WorkloadInstance
    from rules.plans import Plan
    from workers.kubernetes.access import Cluster
    from workers.kubernetes.marks import Json

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def stored_sum(cluster: Cluster, instance: WorkloadInstance, plan: Plan, workload: Json) -> str:
    """Return the sum of the template that the API server would store: an admission webhook may touch ours.

    Empty where no template is written, or where that cannot be asked: `check` says what stands in the way.
    """
    values: Mapping[str, Any] = next((step.values for step in plan.steps if step.kind is StepKind.PATCH), {})
    if values.get("template") is None:
        return ""
    try:
        answer = _try_patch(cluster, paths.workload(instance), values, workload)
    except (Forbidden, Refused):
        return ""
    return sha_of(answer["spec"]["template"]) if answer else ""


def check(
    cluster: Cluster, instance: WorkloadInstance, plan: Plan, workload: Json, *, tried: bool = False
) -> None:
    """Raise `Permanent` with the first thing that stands in the way. `tried` patches are not tried again."""
    kinds = {step.kind: step for step in plan.steps}
    if StepKind.PATCH in kinds and not tried:
        _try_patch(cluster, paths.workload(instance), kinds[StepKind.PATCH].values, workload)
    if StepKind.DELETE_PODS in kinds:
        _ask_delete(cluster, instance.namespace)


def _try_patch(cluster: Cluster, path: str, values: Mapping[str, Any], workload: Json) -> Json | None:
    """Return the workload as it would be; None where a webhook does not know how to say."""
    patch = change_patch(workload, writing.change_of(values, workload, 0, ""))
    # Whether it still is the version that was read, the patch itself asks: status moves it on all the time.
    free = [op for op in patch if op["path"] != "/metadata/resourceVersion"]
    try:
        return cluster.patch(path, free, field_manager=MANAGER, dry_run=True)
    except Refused as error:
        if "dry run" not in str(error) and "dryRun" not in str(error):  # a webhook may not know how
            raise
    return None


def _ask_delete(cluster: Cluster, namespace: str) -> None:
    wanted = {"namespace": namespace, "verb": "delete", "resource": "pods"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    try:
        answer = cluster.create(_REVIEWS, review)
    except Forbidden:  # who may not even ask is told when it is done
        return
    if not answer.get("status", {}).get("allowed"):
        message = (
            f"not allowed to delete pods in namespace {namespace}, and those of the bad release have to be: "
            f"add this line to the Role: {right_for('delete', '', 'pods').line}"
        )
        raise Permanent(Reason.FORBIDDEN, message)
