"""What a real API server answers is understood: who may not is told why, and what moved on is not overwritten."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from testbed import cluster as testbed
from testbed.access import READS
from testbed.wait import until
from testbed.workloads import deployment

from controller.settings import ClusterSettings, Numbers
from rules.decisions import Reason
from rules.errors import Transient
from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes import failures, paths
from workers.kubernetes.access import Cluster, connect_cluster
from workers.kubernetes.credentials import in_cluster
from workers.kubernetes.rights import RIGHTS

PATCH = [{"op": "add", "path": "/metadata/annotations/checked", "value": "yes"}]
Connect = Callable[[Path], Cluster]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what connects to a cluster by a kubeconfig."""
    made: list[Cluster] = []

    def by(kubeconfig: Path) -> Cluster:
        made.append(connect_cluster("eu", ClusterSettings(kubeconfig=kubeconfig), Numbers()))
        return made[-1]

    yield by
    for cluster in made:
        cluster.close()


@pytest.fixture
def web(cluster: testbed.Cluster, namespace: str) -> str:
    """Make a Deployment without pods, and return the path to it."""
    cluster.apply(deployment("web", cluster.image("v1"), replicas=0), namespace)
    return paths.workload(WorkloadInstance("eu", namespace, WorkloadKind.DEPLOYMENT, "web"))


def test_the_rights_that_we_document_are_enough(
    cluster: testbed.Cluster, namespace: str, web: str, connect: Connect
) -> None:
    """Each line of the Role is used by a real call, and none is missing."""
    rules = [
        {"apiGroups": [right.group], "resources": [*right.resources], "verbs": [*right.verbs]} for right in RIGHTS
    ]
    ours = connect(cluster.user_kubeconfig("ours", namespace, rules))
    assert (
        ours.patch(web, PATCH, field_manager="rollback-controller")["metadata"]["annotations"]["checked"] == "yes"
    )
    for kind in WorkloadKind:
        ours.list(paths.workloads(kind, namespace))
    for listed in (paths.replicasets, paths.controllerrevisions, paths.pods, paths.events, paths.services):
        ours.list(listed(namespace))
    with pytest.raises(failures.NotFound):
        ours.list(paths.scaledobjects(namespace))
    with pytest.raises(failures.NotFound):
        ours.text(paths.pod_log(namespace, "web-0"))
    with pytest.raises(failures.NotFound):
        ours.delete(paths.pods(namespace, "web-0"), uid="0")
    about = {"kind": "Deployment", "apiVersion": "apps/v1", "name": "web", "namespace": namespace}
    event = {"metadata": {"generateName": "web."}, "involvedObject": about, "reason": "Checked", "type": "Normal"}
    assert ours.create(paths.events(namespace), event)["metadata"]["name"].startswith("web.")


def test_who_may_only_read_is_told_the_line_of_the_role(
    cluster: testbed.Cluster, namespace: str, web: str, connect: Connect
) -> None:
    """With the verb, the resource and the namespace; nothing is changed."""
    reader = connect(cluster.user_kubeconfig("reader", namespace, READS))
    before = reader.get(web)["spec"]
    with pytest.raises(failures.Forbidden) as caught:
        reader.patch(web, PATCH, field_manager="rollback-controller")
    said = str(caught.value)
    assert caught.value.reason is Reason.FORBIDDEN
    assert said.startswith(f"patch deployments.apps web in namespace {namespace} (cluster eu): not allowed: ")
    assert f'system:serviceaccount:{namespace}:reader" cannot patch resource "deployments"' in said
    assert said.endswith(next(right.line for right in RIGHTS if "deployments" in right.resources))
    with pytest.raises(failures.Forbidden, match="Add this line to a ClusterRole that is bound"):
        reader.list(paths.pods(None))
    assert reader.get(web)["spec"] == before


def test_a_service_account_that_is_gone_is_unauthorized(
    cluster: testbed.Cluster, namespace: str, web: str, connect: Connect
) -> None:
    """Its token is a good token, of nobody."""
    gone = connect(cluster.user_kubeconfig("gone", namespace, READS))
    gone.get(web)
    cluster.delete("ServiceAccount", namespace, "gone")

    def refused() -> failures.Unauthorized | None:
        try:
            gone.get(web)
        except failures.Unauthorized as error:
            return error
        return None

    error = until(refused, within_s=30, what="the token is refused")
    assert error is not None
    assert error.reason is Reason.UNAUTHORIZED


def test_a_pod_of_the_cluster_needs_no_kubeconfig(
    cluster: testbed.Cluster, namespace: str, web: str, tmp_path: Path
) -> None:
    """The token and the CA that are mounted do."""
    cluster.user_kubeconfig("pod", namespace, READS)
    (tmp_path / "token").write_text(cluster.user_token("pod", namespace))
    (tmp_path / "ca.crt").write_text(cluster.api.authority)
    host, _, port = cluster.api.server.removeprefix("https://").rpartition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    ours = Cluster("default", lambda: in_cluster(tmp_path, environ), timeout_s=5)
    assert ours.get(web)["metadata"]["name"] == "web"
    ours.close()


def test_what_moved_on_since_it_was_read_is_not_overwritten(
    cluster: testbed.Cluster, namespace: str, web: str, connect: Connect
) -> None:
    """A stale version is a conflict, which another look resolves; a test that fails is refused, as nonsense is."""
    admin = connect(cluster.kubeconfig)
    read = admin.get(web)["metadata"]
    cluster.patch("Deployment", namespace, "web", {"metadata": {"annotations": {"by": "somebody"}}})
    stale = {"op": "replace", "path": "/metadata/resourceVersion", "value": read["resourceVersion"]}
    _refused(admin, web, [stale, *PATCH], failures.Conflict, Reason.CHANGED_MEANWHILE)
    another = {"op": "test", "path": "/metadata/uid", "value": "0"}
    _refused(admin, web, [another, *PATCH], failures.Refused, Reason.TARGET_REFUSED)
    nonsense = {"op": "replace", "path": "/spec/replicas", "value": -1}
    _refused(admin, web, [nonsense], failures.Refused, Reason.TARGET_REFUSED)
    assert "checked" not in admin.get(web)["metadata"]["annotations"]


def test_a_pod_is_deleted_by_its_uid_alone(cluster: testbed.Cluster, namespace: str, connect: Connect) -> None:
    """One that took the name meanwhile is left alone."""
    admin = connect(cluster.kubeconfig)
    spec = {"containers": [{"name": "a", "image": "nowhere.invalid/a:1"}], "nodeName": "nowhere"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stuck"}, "spec": spec}
    made = admin.create(paths.pods(namespace), pod)
    path = paths.pods(namespace, "stuck")
    with pytest.raises(failures.Conflict):
        admin.delete(path, uid="00000000-0000-0000-0000-000000000000")
    assert admin.get(path)["metadata"]["uid"] == made["metadata"]["uid"]
    admin.delete(path, uid=made["metadata"]["uid"], grace_s=0)
    with pytest.raises(failures.NotFound) as caught:
        admin.get(path)
    assert caught.value.reason is Reason.POD_GONE


def test_a_long_list_comes_in_pages(cluster: testbed.Cluster, namespace: str, connect: Connect) -> None:
    """And is whole."""
    admin = connect(cluster.kubeconfig)
    for number in range(7):
        about = {"kind": "Deployment", "name": "web", "namespace": namespace}
        event = {"metadata": {"name": f"e{number}"}, "involvedObject": about, "reason": "R", "type": "Normal"}
        admin.create(paths.events(namespace), event)
    found = admin.list(paths.events(namespace), limit=3, fieldSelector="involvedObject.name=web")
    assert sorted(item["metadata"]["name"] for item in found["items"]) == [f"e{n}" for n in range(7)]


def test_while_the_server_is_away_nothing_is_final(
    cluster: testbed.Cluster, namespace: str, web: str, connect: Connect
) -> None:
    """Neither while it is down nor in the moment after its start, in which it allows nobody anything."""
    reader = connect(cluster.user_kubeconfig("reader", namespace, READS))
    assert reader.get(web)
    cluster.stop_api()
    with pytest.raises(failures.Unreachable):
        reader.get(web)
    over = threading.Event()

    def ask_on() -> int:
        asked = 0
        while not over.is_set():
            asked += 1
            with contextlib.suppress(Transient):  # anything else fails the test
                reader.get(web)
        return asked

    with ThreadPoolExecutor(max_workers=1) as beside:
        asking = beside.submit(ask_on)
        try:
            cluster.start_api()
        finally:
            over.set()
    assert asking.result() > 1
    assert reader.get(web)["metadata"]["name"] == "web"


def _refused(
    cluster: Cluster, path: str, patch: list[dict[str, Any]], kind: type[Exception], reason: Reason
) -> None:
    with pytest.raises(kind) as caught:
        cluster.patch(path, patch, field_manager="rollback-controller")
    assert getattr(caught.value, "reason", None) is reason
