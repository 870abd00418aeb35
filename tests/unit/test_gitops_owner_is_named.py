"""Which owner a workload's marks name, whether it may be paused, and when nothing is done at all."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.kube_facts import WEB, owned_by, template, workload

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.failures import Forbidden, NotFound
from workers.kubernetes.gitops import claims
from workers.kubernetes.gitops.finding import find_owner
from workers.kubernetes.gitops.kinds import APPLICATION, HELM_RELEASE, KUSTOMIZATION
from workers.kubernetes.gitops.naming import Named, owner_named

TRACKING = "argocd.argoproj.io/tracking-id"
FLUX, HELM = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"
APP = Named(APPLICATION, "argocd", "shop")
RELEASE = Named(HELM_RELEASE, "shop", "web")
KUSTOMIZED = Named(KUSTOMIZATION, "flux-system", "shop")


def made(**metadata: Any) -> dict[str, Any]:
    found = workload(template())
    found["metadata"] |= metadata
    return found


def labels(group: str, name: str = "shop", namespace: str = "flux-system") -> dict[str, str]:
    return {f"{group}/name": name, f"{group}/namespace": namespace}


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"annotations": {TRACKING: "shop:apps/Deployment:shop/web"}}, "Argo CD Application shop"),
        ({"annotations": {TRACKING: "team-a_shop:apps/Deployment:shop/web"}}, "Argo CD Application team-a/shop"),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD Application shop"),
        ({"labels": {"app.kubernetes.io/instance": "shop"}}, "Argo CD Application shop"),
        (
            {"labels": {"app.kubernetes.io/instance": "no", "argocd.argoproj.io/instance": "shop"}},
            "Argo CD Application shop",
        ),
        ({"labels": labels(FLUX)}, "Flux Kustomization flux-system/shop"),
        ({"labels": labels(HELM) | {"app.kubernetes.io/instance": "web"}}, "Flux HelmRelease flux-system/shop"),
    ],
)
def test_one_owner_is_named(metadata: dict[str, Any], named: str) -> None:
    """By the tracking annotation, by a label where Argo CD is known to be at work, by Flux's two labels."""
    reconciler = "Flux" if "Flux" in named else "Argo CD"
    assert str(owner_named(made(**metadata), WEB, reconciler)) == named


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({}, "no mark on it names an owner"),
        ({"labels": {f"{FLUX}/name": "shop"}}, "no mark on it names an owner"),
        ({"annotations": {TRACKING: "shop:apps/Deployment:shop/other"}}, "as on a copy of another"),
        ({"annotations": {TRACKING: "shop:apps/StatefulSet:shop/web"}}, "as on a copy of another"),
        ({"annotations": {TRACKING: "shop"}}, "is about nothing"),
        ({"labels": labels(FLUX) | labels(HELM)}, "which one keeps it cannot be told"),
        (
            {"labels": labels(FLUX), "annotations": {TRACKING: "shop:apps/Deployment:shop/web"}},
            "which one keeps it cannot be told",
        ),
        ({"ownerReferences": owned_by("x", "Rollout"), "labels": labels(FLUX)}, "Rollout web controls"),
    ],
)
def test_none_or_several_or_an_operator_is_refused(metadata: dict[str, Any], why: str) -> None:
    """Never the first of several; and the message ends with what to do."""
    with pytest.raises(Permanent, match=why) as refused:
        owner_named(made(**metadata), WEB, "Flux")
    assert refused.value.reason is Reason.GITOPS_OWNED
    assert "gitops: force" in str(refused.value)


def owner(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "argocd", **metadata}, "spec": {}}


@pytest.mark.parametrize(
    ("metadata", "keeper"),
    [
        ({}, ""),
        ({"labels": {"team": "shop"}, "annotations": {"argocd.argoproj.io/refresh": "hard"}}, ""),
        ({"managedFields": [{"manager": "argocd-application-controller", "operation": "Update"}]}, ""),
        ({"managedFields": [{"manager": "kubectl", "operation": "Apply"}]}, ""),
        ({"annotations": {TRACKING: "root:argoproj.io/Application:argocd/shop"}}, "Argo CD Application root"),
        ({"labels": {"app.kubernetes.io/instance": "root"}}, "root"),
        ({"labels": labels(FLUX)}, "Flux Kustomization shop"),
        ({"labels": labels(HELM)}, "Flux HelmRelease shop"),
        ({"ownerReferences": [{"kind": "ApplicationSet", "name": "all"}]}, "ApplicationSet all"),
        ({"managedFields": [{"manager": "kustomize-controller", "operation": "Apply"}]}, "Flux"),
        ({"managedFields": [{"manager": "argocd-controller", "operation": "Apply"}]}, "Argo CD"),
    ],
)
def test_an_owner_that_somebody_keeps_is_refused(metadata: dict[str, Any], keeper: str) -> None:
    """An app of apps, an ApplicationSet, a HelmRelease from Git: what is written into it would be undone."""
    if not keeper:
        claims.require_free(APP, owner(**metadata))
        return
    with pytest.raises(Permanent, match=f"itself kept by .*{keeper}"):
        claims.require_free(APP, owner(**metadata))


HERE = {"server": "https://kubernetes.default.svc"}
ENTRY = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web", "status": "Synced"}
LISTED = {"inventory": {"entries": [{"id": "shop_web_apps_Deployment", "v": "v1"}]}}


@pytest.mark.parametrize(
    ("named", "spec", "status", "refused"),
    [
        (APP, {"destination": HERE}, {"resources": [ENTRY]}, ""),
        (APP, {"destination": {"name": "in-cluster"}}, {"resources": [ENTRY]}, ""),
        (APP, {"destination": HERE}, {"resources": [{**ENTRY, "name": "api"}]}, "does not list it"),
        (APP, {"destination": HERE}, {}, "does not list it"),
        (APP, {"destination": {"server": "https://eu.example"}}, {"resources": [ENTRY]}, "https://eu.example"),
        (APP, {}, {"resources": [ENTRY]}, "not in this cluster"),
        (KUSTOMIZED, {}, LISTED, ""),
        (KUSTOMIZED, {}, {}, "does not list it"),
        (KUSTOMIZED, {"kubeConfig": {"secretRef": {"name": "eu"}}}, LISTED, "not in this cluster"),
        (RELEASE, {"targetNamespace": "shop"}, {}, ""),
        (RELEASE, {"targetNamespace": "other"}, LISTED, ""),
        (RELEASE, {"targetNamespace": "other"}, {}, "does not list it"),
        (RELEASE, {}, {"inventory": {"entries": [{"id": "shop_api_apps_Deployment"}]}}, "does not list it"),
    ],
)
def test_the_owner_itself_has_to_agree(named: Named, spec: Any, status: Any, refused: str) -> None:
    """Whoever may label a workload could name any owner: the owner's own word counts, and where it acts."""
    found = {"metadata": {"namespace": named.namespace}, "spec": spec, "status": status}
    if not refused:
        claims.require_keeps(named, found, WEB)
        return
    with pytest.raises(Permanent, match=refused):
        claims.require_keeps(named, found, WEB)


class Served:
    """A cluster that serves a group in some versions, and some Applications."""

    def __init__(self, versions: list[str], apps: list[dict[str, Any]], *, may_list: bool = True) -> None:
        self._versions, self._apps, self._may_list = versions, apps, may_list

    def get(self, path: str) -> Any:
        """Read the group, or an Application."""
        if path.count("/") == 2:
            if not self._versions:
                raise NotFound(Reason.WORKLOAD_UNKNOWN, "there is none")
            return {"versions": [{"version": version} for version in self._versions]}
        for app in self._apps:
            if path.endswith(f"/namespaces/{app['metadata']['namespace']}/applications/shop"):
                return app
        raise NotFound(Reason.WORKLOAD_UNKNOWN, "there is none")

    def list(self, path: str, *, fieldSelector: str) -> Any:  # noqa: N803 - the API's word
        """List the Applications of a name."""
        assert (path, fieldSelector) == ("/apis/argoproj.io/v1alpha1/applications", "metadata.name=shop")
        if not self._may_list:
            raise Forbidden(Reason.FORBIDDEN, "no")
        return {"items": self._apps}


def app(namespace: str, *, keeps: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"destination": HERE},
        "status": {"resources": [ENTRY] if keeps else []},
    }


@pytest.mark.parametrize(
    ("cluster", "found"),
    [
        (Served(["v1alpha1"], [app("argo")]), "argo"),
        (Served(["v1alpha1"], [app("argo"), app("other", keeps=False)]), "argo"),
        (Served(["v1alpha1"], [app("argocd"), app("other")], may_list=False), "argocd"),
        (Served(["v1alpha1"], [app("argo"), app("other")]), "2 of the name"),
        (Served(["v1alpha1"], [app("other")], may_list=False), "not in argocd, and elsewhere we may not look"),
        (Served(["v1alpha1"], []), "not in this cluster"),
        (Served(["v9"], [app("argo")]), "in a version that is known here"),
        (Served([], []), "serves no Application"),
    ],
)
def test_an_application_is_looked_for_where_its_marks_do_not_say(cluster: Any, found: str) -> None:
    """In every namespace, or where we may not list in that of Argo CD's own installation; never a guess."""
    named = Named(APPLICATION, "", "shop")
    if not found.isalpha():
        with pytest.raises(Permanent, match=found) as refused:
            find_owner(cluster, named, WEB)
        assert refused.value.reason is Reason.GITOPS_OWNED
        return
    assert (
        find_owner(cluster, named, WEB).path == f"/apis/argoproj.io/v1alpha1/namespaces/{found}/applications/shop"
    )


def test_a_name_of_a_stranger_stays_a_name() -> None:
    """It is asked for as it stands, or not at all."""
    cluster: Any = Served(["v1alpha1"], [])
    for name in ("a,metadata.namespace=b", "../secrets", "A", ""):
        with pytest.raises(Permanent) as refused:
            find_owner(cluster, Named(APPLICATION, "", name), WEB)
        assert refused.value.reason is Reason.LABEL_ILLEGAL
