"""A Deployment goes back, on a real cluster with real pods: by its own history, and without losing what serves."""

from __future__ import annotations

from testbed.cluster import Cluster
from testbed.driven import Driven
from testbed.wait import until
from testbed.workloads import deployment

from rules.instances import WorkloadKind


def test_a_bad_image_goes_back(cluster: Cluster, namespace: str) -> None:
    """The old pods keep serving, their uids with them: the historical template is written as it was."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    uids = {pod["metadata"]["uid"] for pod in cluster.pods(namespace)}
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))
    until(lambda: len(cluster.pods(namespace)) > 2, within_s=20, what="the bad release has a pod")
    web = Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web")
    plan = web.goes_back()
    assert {pod["metadata"]["uid"] for pod in cluster.pods(namespace)} == uids
    assert plan.to_release.startswith("v1+")
    assert web.observed().running == plan.to_release
    print(web.api.calls)
