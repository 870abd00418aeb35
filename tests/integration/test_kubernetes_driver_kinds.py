"""StatefulSets and DaemonSets go back by their ControllerRevisions, as their own update strategy lets them."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.driven import Driven, params
from testbed.wait import until
from testbed.workloads import daemonset, statefulset

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import StepKind


def images(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Return each pod's tag by the pod's name."""
    return {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"].rpartition(":")[2]
        for pod in cluster.pods(namespace)
    }


def uid(cluster: Cluster, namespace: str, name: str) -> str:
    return str(cluster.get("Pod", namespace, name)["metadata"]["uid"])


def not_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "False" for c in conditions)


def test_a_statefulset_that_is_stuck_on_a_broken_pod(cluster: Cluster, namespace: str) -> None:
    """Its controller never replaces the broken pod by itself; the pods that were not reached keep running."""
    cluster.roll(statefulset("db", cluster.image("v1")), namespace)
    kept = uid(cluster, namespace, "db-0")
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("bad"))
    until(lambda: images(cluster, namespace).get("db-1") == "bad", within_s=30, what="db-1 runs the bad release")
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db")
    plan = driven.planned()
    seen = driven.carry_out(plan)
    assert plan.to_release.startswith("v1+")
    assert seen[StepKind.DELETE_PODS]["deleted"] == ["db-1"]
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1"}
    assert uid(cluster, namespace, "db-0") == kept
    assert driven.observed().running == plan.to_release


def test_a_statefulset_that_was_stuck_before_the_bad_release_came(cluster: Cluster, namespace: str) -> None:
    """The fix that was deployed over a broken release is bad too, and none of its pods was ever made."""
    cluster.roll(statefulset("db", cluster.image("v1")), namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("bad"))
    until(
        lambda: images(cluster, namespace).get("db-1") == "bad", within_s=30, what="db-1 runs the broken release"
    )
    until(lambda: not_ready(cluster.get("Pod", namespace, "db-1")), within_s=20, what="db-1 is not ready")
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("crash"))
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db", params(healthy_within_s=25))
    plan = driven.planned()
    assert (plan.from_release or "").startswith("crash+")
    assert driven.carry_out(plan)[StepKind.DELETE_PODS]["deleted"] == ["db-1"]
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1"}


def test_pods_before_the_partition_are_left_alone(cluster: Cluster, namespace: str) -> None:
    """They would not come back with the older release; and while one is not ready, nor would those behind it."""
    cluster.roll(statefulset("db", cluster.image("v1"), partition=0), namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("v2"))
    cluster.wait_rolled_out("StatefulSet", namespace, "db")
    later = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 1}}}}
    cluster.patch("StatefulSet", namespace, "db", later)
    kept = {name: uid(cluster, namespace, name) for name in ("db-0", "db-1")}
    for name in kept:
        cluster.kubectl("exec", "-n", namespace, name, "--", "rm", "/www/healthz")
    until(lambda: all(map(not_ready, cluster.pods(namespace))), within_s=20, what="no pod is ready")
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db", params(healthy_within_s=5))
    with pytest.raises(Permanent, match="db-0") as held:
        driven.goes_back()
    assert held.value.reason is Reason.UNKNOWN_STATE
    assert {name: uid(cluster, namespace, name) for name in kept} == kept


def test_a_statefulset_that_starts_its_pods_in_parallel(cluster: Cluster, namespace: str) -> None:
    """Its controller replaces what is broken by itself, so nobody else deletes anything."""
    cluster.roll(statefulset("db", cluster.image("v1"), podManagementPolicy="Parallel"), namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("crash"))
    until(lambda: images(cluster, namespace).get("db-1") == "crash", within_s=30, what="db-1 runs the bad release")
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db")
    plan = driven.goes_back()
    assert StepKind.DELETE_PODS not in {step.kind for step in plan.steps}
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1"}


def test_a_statefulsets_canary_partition(cluster: Cluster, namespace: str) -> None:
    """Only the pods from the partition on have the bad release, and only those are replaced."""
    cluster.roll(statefulset("db", cluster.image("v1"), replicas=3, partition=2), namespace)
    kept = {name: uid(cluster, namespace, name) for name in ("db-0", "db-1")}
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("bad"))
    until(lambda: images(cluster, namespace).get("db-2") == "bad", within_s=30, what="db-2 runs the bad release")
    Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db").goes_back()
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1", "db-2": "v1"}
    assert {name: uid(cluster, namespace, name) for name in kept} == kept


def test_a_statefulset_on_delete(cluster: Cluster, namespace: str) -> None:
    """Nothing is replaced unless somebody deletes it: the pods of the bad release are, and no others."""
    cluster.roll(statefulset("db", cluster.image("v1"), on_delete=True), namespace)
    kept = uid(cluster, namespace, "db-0")
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("bad"))
    cluster.delete("Pod", namespace, "db-1")
    until(lambda: images(cluster, namespace).get("db-1") == "bad", within_s=30, what="db-1 runs the bad release")
    Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db").goes_back()
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1"}
    assert uid(cluster, namespace, "db-0") == kept


def test_pods_of_a_statefulset_on_delete_go_one_after_the_other(cluster: Cluster, namespace: str) -> None:
    """The bad release is ready but wrong, so each pod waits for the one before it to serve again."""
    cluster.roll(statefulset("db", cluster.image("v1"), on_delete=True), namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("v2"))
    for name in ("db-0", "db-1"):
        cluster.delete("Pod", namespace, name)
        until(lambda name=name: images(cluster, namespace).get(name) == "v2", within_s=30, what="it runs v2")
    cluster.wait_rolled_out("StatefulSet", namespace, "db")
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db")
    seen = driven.carry_out(driven.planned())
    assert seen[StepKind.DELETE_PODS]["deleted"] == ["db-1", "db-0"]
    assert images(cluster, namespace) == {"db-0": "v1", "db-1": "v1"}


def test_a_daemonset(cluster: Cluster, namespace: str) -> None:
    """By the ControllerRevision that equals the old template."""
    cluster.roll(daemonset("agent", cluster.image("v1")), namespace)
    cluster.set_image("DaemonSet", namespace, "agent", cluster.image("bad"))
    until(lambda: "bad" in images(cluster, namespace).values(), within_s=30, what="the bad release has a pod")
    driven = Driven(cluster, namespace, WorkloadKind.DAEMONSET, "agent")
    plan = driven.goes_back()
    assert plan.to_release.startswith("v1+")
    assert set(images(cluster, namespace).values()) == {"v1"}
    assert driven.observed().running == plan.to_release


def test_a_daemonset_on_delete(cluster: Cluster, namespace: str) -> None:
    """Its bad pod is deleted for it."""
    cluster.roll(daemonset("agent", cluster.image("v1"), on_delete=True), namespace)
    cluster.set_image("DaemonSet", namespace, "agent", cluster.image("bad"))
    (old,) = images(cluster, namespace)
    cluster.delete("Pod", namespace, old)
    until(lambda: set(images(cluster, namespace).values()) == {"bad"}, within_s=30, what="it runs the bad release")
    Driven(cluster, namespace, WorkloadKind.DAEMONSET, "agent", params(steady_s=0.2)).goes_back()
    assert set(images(cluster, namespace).values()) == {"v1"}


def test_a_first_release_of_a_statefulset_has_no_previous_one(cluster: Cluster, namespace: str) -> None:
    """Its only ControllerRevision is the present one."""
    cluster.apply(statefulset("db", cluster.image("bad")), namespace)
    choice = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db").choice()
    assert (choice.chosen, choice.reason) == (None, "first-release")
