"""A rollout may take long as long as it gets further; one that only waits is not said to be bad."""

from __future__ import annotations

import pytest
from testbed.cluster import Cluster
from testbed.driven import Driven, params
from testbed.wait import until
from testbed.workloads import deployment, statefulset

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import StepKind
from rules.rule import Pin, Restore
from workers.driver import Seen

WITHIN_S = 12


def tags(cluster: Cluster, namespace: str) -> list[str]:
    return [p["spec"]["containers"][0]["image"].rpartition(":")[2] for p in cluster.pods(namespace)]


def test_pod_after_pod_takes_longer_than_any_one_of_them(cluster: Cluster, namespace: str) -> None:
    """Each has `healthy-within` for itself."""
    one_by_one = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    made = deployment("web", cluster.image("v1"), replicas=4, strategy=one_by_one, minReadySeconds=2)
    cluster.roll(made, namespace)
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    cluster.wait_rolled_out("Deployment", namespace, "web")
    driven = Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web", params(healthy_within_s=WITHIN_S))
    plan = driven.planned()
    driven.does(driven.step(plan, StepKind.PATCH))
    rollout = driven.step(plan, StepKind.ROLLOUT)
    before = driven.driver.before(rollout)

    def taken_over() -> Seen:
        """Look for two seconds, as somebody who knows nothing but the plan and the journal."""
        other = Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web")
        return other.driver.perform(rollout, before, other.fence, 7)

    driven.patiently(taken_over)
    assert tags(cluster, namespace) == ["v1"] * 4


def test_pods_deleted_one_after_the_other_take_their_time(cluster: Cluster, namespace: str) -> None:
    """Also where each of them is deleted by us."""
    made = statefulset("db", cluster.image("v1"), replicas=6, on_delete=True, podManagementPolicy="Parallel")
    cluster.roll(made, namespace)
    cluster.set_image("StatefulSet", namespace, "db", cluster.image("v2"))
    for number in range(6):
        cluster.delete("Pod", namespace, f"db-{number}")
    until(lambda: tags(cluster, namespace) == ["v2"] * 6, within_s=60, what="all pods run v2")
    cluster.wait_rolled_out("StatefulSet", namespace, "db")
    driven = Driven(cluster, namespace, WorkloadKind.STATEFULSET, "db", params(healthy_within_s=WITHIN_S))
    driven.goes_back()
    assert tags(cluster, namespace) == ["v1"] * 6


def test_pods_that_find_no_place_say_nothing_against_their_release(cluster: Cluster, namespace: str) -> None:
    """It is held, and does not go back to the bad release."""
    nowhere = deployment("web", cluster.image("v1"), replicas=1)
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    cluster.apply(nowhere, namespace)
    cluster.apply({**nowhere, **deployment("web", cluster.image("v2"), replicas=1)}, namespace)
    cluster.wait_rolled_out("Deployment", namespace, "web")
    limits = params(healthy_within_s=3, restore=Restore.TEMPLATE, pin=Pin.NEVER)
    with pytest.raises(Permanent, match=r"nothing fails, but .* Unschedulable") as held:
        Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web", limits).goes_back()
    assert held.value.reason is Reason.UNKNOWN_STATE


def test_a_template_that_cannot_be_taken_up_is_not_waited_for(cluster: Cluster, namespace: str) -> None:
    """A quota refuses its ReplicaSet: its controller never catches up, and says why."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    hard = {"hard": {"count/replicasets.apps": "1"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": hard}
    cluster.create(quota, namespace)
    until(lambda: cluster.get("ResourceQuota", namespace, "few")["status"], within_s=20, what="the quota counts")
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    with pytest.raises(Permanent, match=r"cannot be taken up: ReplicaSetCreateError .*exceeded quota") as refused:
        Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web").observed()
    assert refused.value.reason is Reason.TARGET_REFUSED
