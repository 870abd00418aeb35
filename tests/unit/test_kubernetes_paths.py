"""Paths are built from parts that are legal names, so only what was meant can be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes import paths
from workers.kubernetes.paths import Resource

WEB = WorkloadInstance("eu", "shop", WorkloadKind.DEPLOYMENT, "web-canary")

PATHS = [
    (paths.workload(WEB), "/apis/apps/v1/namespaces/shop/deployments/web-canary"),
    (paths.workloads(WorkloadKind.STATEFULSET, "shop"), "/apis/apps/v1/namespaces/shop/statefulsets"),
    (paths.workloads(WorkloadKind.DAEMONSET, None), "/apis/apps/v1/daemonsets"),
    (paths.replicasets("shop", "web.v1-6c5"), "/apis/apps/v1/namespaces/shop/replicasets/web.v1-6c5"),
    (paths.controllerrevisions("shop"), "/apis/apps/v1/namespaces/shop/controllerrevisions"),
    (paths.pods(None), "/api/v1/pods"),
    (paths.pod_log("shop", "web-0"), "/api/v1/namespaces/shop/pods/web-0/log"),
    (paths.events("shop"), "/api/v1/namespaces/shop/events"),
    (paths.services("shop", "web"), "/api/v1/namespaces/shop/services/web"),
    (paths.scaledobjects("shop"), "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects"),
]


@pytest.mark.parametrize(("built", "path"), PATHS)
def test_a_path_leads_to_one_object_or_to_one_list(built: str, path: str) -> None:
    """No namespace means every one."""
    assert built == path


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (paths.workload(WEB), Resource("apps", "deployments", "shop", "web-canary")),
        (paths.workloads(WorkloadKind.DAEMONSET, None), Resource("apps", "daemonsets", None, None)),
        (paths.pods("shop"), Resource("", "pods", "shop", None)),
        (paths.pod_log("shop", "web-0"), Resource("", "pods/log", "shop", "web-0")),
        (paths.scaledobjects("shop"), Resource("keda.sh", "scaledobjects", "shop", None)),
        ("/api/v1/namespaces", Resource("", "namespaces", None, None)),
        ("/api/v1/namespaces/shop", Resource("", "namespaces", None, "shop")),
        ("/readyz", Resource("", "", None, None)),
    ],
)
def test_a_path_can_be_told_in_the_words_of_a_role(path: str, resource: Resource) -> None:
    """That is how a message names it."""
    assert paths.read_path(path) == resource


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "a/b",
            "../../secrets/x",
            "web?x=1",
            "web#",
            "web%2f",
            "Web",
            "-web",
            "web-",
            "web canary",
        ),
        *("web\n", "wéb", "a..b", "x" * 254),
    ],
)
def test_no_name_leads_elsewhere(name: str) -> None:
    """A label may hold anything; each of these is refused, for a namespace, a workload and a pod alike."""
    for build in (
        lambda: paths.pods(name),
        lambda: paths.pods("shop", name),
        lambda: paths.services("shop", name),
        lambda: paths.replicasets("shop", name),
    ):
        with pytest.raises(Permanent) as caught:
            build()
        assert caught.value.reason is Reason.LABEL_ILLEGAL
        assert "nothing was asked for" in str(caught.value)
        assert str(caught.value).isprintable()


def test_a_namespace_and_a_service_are_one_label_and_a_pod_may_be_several() -> None:
    """As Kubernetes has it."""
    assert paths.pods("shop", "web.v1").endswith("/web.v1")
    for build in (lambda: paths.pods("shop.eu"), lambda: paths.services("shop", "web.v1")):
        with pytest.raises(Permanent):
            build()


@given(st.text(max_size=40))
def test_whatever_a_label_holds_the_path_stays_where_it_is(name: str) -> None:
    """It is refused, or it is the last part of the path as it stands."""
    try:
        path = paths.pods("shop", name)
    except Permanent:
        return
    assert path == f"/api/v1/namespaces/shop/pods/{name}"
    assert name.isascii()
    assert not set(name) & set("/?#%\\ ")
