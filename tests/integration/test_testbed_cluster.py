"""The testbed's cluster is real: pods run, probes fail, rights bind, and nothing of it stays afterwards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from testbed.access import READS
from testbed.cluster import Cluster, Object
from testbed.control_groups import processes
from testbed.gitops_owners import VERSIONS, define, kustomization
from testbed.kube_api import APPLY, JSON_PATCH, KubeApi, KubeRefusedError, path_of
from testbed.own_cluster import own_cluster
from testbed.wait import until
from testbed.workloads import daemonset, deployment, service, statefulset


def images_run(cluster: Cluster, namespace: str) -> set[str]:
    """Return the digests that the pods of a namespace run, as the runtime names them."""
    pods = cluster.pods(namespace)
    return {status["imageID"] for pod in pods for status in pod["status"]["containerStatuses"]}


def container(pod: Object) -> Object:
    """Return what the kubelet says of a pod's one container."""
    return dict(pod["status"].get("containerStatuses", [{}])[0])


def test_good_pods_become_ready_and_name_the_digest_they_run(cluster: Cluster, namespace: str) -> None:
    """A tag that is pushed over does not change what runs; the imageID tells it."""
    first = cluster.push("mutable", "v1")
    cluster.roll(deployment("web", cluster.image("mutable")), namespace)
    cluster.apply(service("web", {"app.kubernetes.io/name": "web"}), namespace)
    assert images_run(cluster, namespace) == {f"{cluster.images}@{first}"}
    until(lambda: len(addresses(cluster, namespace, "web")) == 2, within_s=10, what="the Service has two ends")

    second = cluster.push("mutable", "v2")
    assert first != second
    assert images_run(cluster, namespace) == {f"{cluster.images}@{first}"}


def test_kinds_that_a_test_defines_are_kept_by_the_real_server(cluster: Cluster, namespace: str) -> None:
    """It patches and applies them, finds them by name, and refuses a stale version; it used to die of any."""
    define(cluster)
    owner = kustomization(cluster, namespace)
    stale = owner.now()["metadata"]["resourceVersion"]
    owner.wants({"suspend": True})
    change = [{"op": "replace", "path": "/metadata/resourceVersion", "value": stale}]
    with pytest.raises(KubeRefusedError) as refused:
        cluster.api.call("PATCH", owner.path, change, sends=JSON_PATCH)
    assert refused.value.status == 409
    named = {"apiVersion": VERSIONS[owner.kind], "kind": owner.kind, "metadata": {"name": owner.name}}
    applied = {**named, "spec": {"path": "./new"}}
    query = {"fieldManager": "team", "force": "true"}
    cluster.api.call("PATCH", owner.path, applied, sends=APPLY, query=query)
    kept = owner.now()
    assert (kept["spec"]["suspend"], kept["spec"]["path"]) == (True, "./new")
    assert kept["status"]["inventory"]["entries"]
    everywhere = path_of(owner.kind, version=VERSIONS[owner.kind])
    nobody = cluster.api.call("GET", everywhere, query={"fieldSelector": "metadata.name=nobody"})
    assert nobody["items"] == []


def addresses(cluster: Cluster, namespace: str, name: str) -> list[Object]:
    """Return the ready ends of a Service."""
    subsets = cluster.get("Endpoints", namespace, name).get("subsets", [])
    return [address for subset in subsets for address in subset.get("addresses", [])]


def test_a_bad_version_stays_unready_while_the_old_one_serves(cluster: Cluster, namespace: str) -> None:
    """Its readiness probe is answered with 404, and the Event says so."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.set_image("Deployment", namespace, "web", cluster.image("v3"))

    def complaint() -> bool:
        events = cluster.all("Event", namespace)
        return any(
            "Readiness probe failed: HTTP probe failed with statuscode: 404" in e["message"] for e in events
        )

    until(complaint, within_s=60, what="the probe's failure is told")
    ready = [container(pod)["ready"] for pod in cluster.pods(namespace)]
    assert sorted(ready) == [False, True, True]


@pytest.mark.parametrize(
    ("tag", "reasons", "log"),
    [
        ("crash", {"CrashLoopBackOff"}, "shop crash: cannot open /etc/shop/tariffs.json"),
        ("v0.0.0-not-there", {"ErrImagePull", "ImagePullBackOff"}, None),
    ],
)
def test_what_cannot_run_says_why(
    cluster: Cluster, namespace: str, tag: str, reasons: set[str], log: str | None
) -> None:
    """The kubelet's own reasons, and the last words of a container that crashed."""
    cluster.apply(deployment("web", cluster.image(tag), replicas=1), namespace)

    def waits_for() -> bool:
        pods = cluster.pods(namespace)
        return bool(pods) and container(pods[0]).get("state", {}).get("waiting", {}).get("reason") in reasons

    until(waits_for, within_s=30, what=f"a pod waits for {reasons}")
    if log is not None:
        assert log in cluster.log(namespace, cluster.pods(namespace)[0]["metadata"]["name"], previous=True)


def test_statefulset_and_daemonset_roll_and_keep_their_history(cluster: Cluster, namespace: str) -> None:
    """Each change is a ControllerRevision, written by the real controllers."""
    cluster.apply(statefulset("db", cluster.image("v1")), namespace)
    cluster.apply(daemonset("agent", cluster.image("v1")), namespace)
    for kind, name in (("StatefulSet", "db"), ("DaemonSet", "agent")):
        cluster.wait_rolled_out(kind, namespace, name)
        cluster.set_image(kind, namespace, name, cluster.image("v2"))
    for kind, name in (("StatefulSet", "db"), ("DaemonSet", "agent")):
        cluster.wait_rolled_out(kind, namespace, name)
    revisions = cluster.all("ControllerRevision", namespace)
    assert sorted(found["metadata"]["ownerReferences"][0]["name"] for found in revisions) == [
        *("agent", "agent"),
        *("db", "db"),
    ]
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.pods(namespace)} == {cluster.image("v2")}


def test_who_may_only_read_is_refused_a_patch(cluster: Cluster, namespace: str) -> None:
    """With 403, and the words that name verb and resource; a stranger's token is answered with 401."""
    cluster.apply(deployment("web", cluster.image("v1")), namespace)
    reader = KubeApi.from_kubeconfig(cluster.user_kubeconfig("reader", namespace, READS))
    web = path_of("Deployment", namespace, "web")
    assert reader.call("GET", web)["metadata"]["name"] == "web"
    with pytest.raises(KubeRefusedError, match='cannot patch resource "deployments"') as refused:
        reader.call("PATCH", web, {"spec": {"replicas": 0}}, sends="application/merge-patch+json")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")
    assert "patch deployments/web 403" in cluster.control.requests(f"{namespace}:reader")

    with pytest.raises(KubeRefusedError) as unknown:
        KubeApi.trusting(cluster.api.server, cluster.api.authority, "not-a-token").call("GET", web)
    assert unknown.value.status == 401


def test_the_api_server_can_be_stopped_and_started(cluster: Cluster, namespace: str) -> None:
    """Objects and pods are as they were, and controllers go on."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    pods = [pod["metadata"]["uid"] for pod in cluster.pods(namespace)]
    cluster.stop_api()
    with pytest.raises(OSError, match="refused"):
        cluster.get("Deployment", namespace, "web")
    cluster.start_api()
    assert [pod["metadata"]["uid"] for pod in cluster.pods(namespace)] == pods
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    cluster.wait_rolled_out("Deployment", namespace, "web")


def test_kubectl_is_the_real_one(cluster: Cluster, namespace: str) -> None:
    """Of the server's own version; `rollout undo` and the rest behave as people know them."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    assert re.search(r"web +2/2", cluster.kubectl("get", "deployments", "--namespace", namespace))
    assert "v1.20.2" in cluster.kubectl("version", "--short", "--client")


def test_nothing_stays_of_a_cluster_that_was_stopped(tmp_path: Path) -> None:
    """No process, no mount, no bridge, no control group, no folder, though its pods were running."""
    with own_cluster(tmp_path) as second:
        namespace = second.make_namespace()
        second.roll(deployment("web", second.image("v1")), namespace)
        slot = second.control.slot
        pids = processes(f"{slot.bridge}-")
        assert len(pids) > 10, "the cluster's programs, their shims and the pods"
    assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []
    assert str(slot.folder) not in Path("/proc/self/mounts").read_text()
    assert not Path(f"/sys/class/net/{slot.bridge}").exists()
    assert processes(f"{slot.bridge}-") == []
    assert not slot.folder.exists()
