"""Who else decides about a workload: what only packaged it is noted, what keeps putting it back is respected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testbed.kube_facts import owned_by, template, workload

from workers.kubernetes.ownership import ownership_of


def made(**metadata: Any) -> dict[str, Any]:
    found = workload(template())
    found["metadata"] |= metadata
    return found


def managed(*managers: str, operation: str = "Update") -> list[dict[str, str]]:
    return [{"manager": manager, "operation": operation} for manager in managers]


@pytest.mark.parametrize(
    ("metadata", "reconciler"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"argocd.argoproj.io/instance": "x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"annotations": {"rollout.argoproj.io/workload-generation": "2"}}, "Argo Rollouts"),
        ({"managedFields": managed("kubectl", "argocd-controller")}, "Argo CD"),
        ({"managedFields": managed("kustomize-controller", operation="Apply")}, "Flux"),
        ({"managedFields": managed("helm-controller")}, "Flux"),
        ({"managedFields": managed("flagger")}, "Flagger"),
        ({"ownerReferences": owned_by("x", "Prometheus")}, "Prometheus web"),
        ({"ownerReferences": owned_by("x", "Rollout")}, "Argo Rollouts"),
        ({"ownerReferences": owned_by("x", "Canary")}, "Flagger"),
        ({"ownerReferences": [{"kind": "App", "name": "x"}]}, ""),
        ({"labels": {"app.kubernetes.io/instance": "x", "app.kubernetes.io/managed-by": "Helm"}}, ""),
        ({"managedFields": managed("kubectl", "kube-controller-manager", "rollback-controller")}, ""),
        ({}, ""),
    ],
)
def test_what_puts_a_workload_back_is_known(metadata: dict[str, Any], reconciler: str) -> None:
    """By its marks, its manager, or an owner that controls it; an owner that only collects garbage is none."""
    assert ownership_of(made(**metadata)).reconciler == reconciler


APPLIED = {"spec": {"template": template("v9")}}


@pytest.mark.parametrize(
    ("metadata", "note"),
    [
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "`helm upgrade` of shop"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, "`helm upgrade` of its release"),
        (
            {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(APPLIED)}},
            "`kubectl apply` of the same files brings back shop/app:v9",
        ),
        (
            {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{broken"}},
            "`kubectl apply` of the same files brings back what they say",
        ),
        ({"managedFields": managed("shop-team", operation="Apply")}, "server-side apply by shop-team"),
        ({"managedFields": managed("kubectl-edit")}, ""),
    ],
)
def test_what_the_next_deploy_brings_back_is_said(metadata: dict[str, Any], note: str) -> None:
    """Going back is not undone at once, but the next deploy of the same files undoes it."""
    found = ownership_of(made(**metadata))
    assert found.reconciler == ""
    assert note in found.note
    assert bool(found.note) == bool(note)
