"""A Deployment goes back, on a real cluster with real pods: by its own history, and without losing what serves."""

from __future__ import annotations

import json

import pytest
from testbed.cluster import Cluster
from testbed.driven import ROLLBACK, Driven, params
from testbed.wait import until
from testbed.workloads import deployment

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadKind
from rules.plans import StepKind
from rules.rule import Gitops, Restore, WhenPaused


def uids(cluster: Cluster, namespace: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in cluster.pods(namespace)}


def web(cluster: Cluster, namespace: str, **over: object) -> Driven:
    return Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web", params(**over))


def with_a_bad_release(cluster: Cluster, namespace: str, tag: str = "bad", **spec: object) -> None:
    """Roll v1 out, deploy a bad release over it, and wait until that has a pod that is not ready."""
    cluster.roll(deployment("web", cluster.image("v1"), **spec), namespace)  # type: ignore[arg-type]
    cluster.set_image("Deployment", namespace, "web", cluster.image(tag))
    until(lambda: len(cluster.pods(namespace)) > 2, within_s=20, what="the bad release has a pod")


def test_a_bad_image_goes_back_and_the_pods_that_serve_stay(cluster: Cluster, namespace: str) -> None:
    """The historical template is written as it was, so its ReplicaSet is known again and keeps its pods."""
    with_a_bad_release(cluster, namespace)
    serving = uids(cluster, namespace) - {
        pod["metadata"]["uid"]
        for pod in cluster.pods(namespace)
        if pod["spec"]["containers"][0]["image"].endswith(":bad")
    }
    driven = web(cluster, namespace)
    plan = driven.goes_back()
    assert uids(cluster, namespace) == serving
    assert (plan.from_release or "").startswith("bad+")
    assert plan.to_release.startswith("v1+")
    assert driven.observed().running == plan.to_release


def test_what_was_done_can_be_read_on_the_workload(cluster: Cluster, namespace: str) -> None:
    """Annotations for the next of us, a change cause for `kubectl rollout history`, an Event for people."""
    with_a_bad_release(cluster, namespace)
    plan = web(cluster, namespace).goes_back()
    written = cluster.get("Deployment", namespace, "web")["metadata"]["annotations"]
    assert written["rollback-controller.io/rollback"] == ROLLBACK
    assert written["rollback-controller.io/release"] == plan.to_release
    assert written["rollback-controller.io/effect"] == plan.arrival
    assert "canary-errors" in written["kubernetes.io/change-cause"]
    event = next(e for e in cluster.all("Event", namespace) if e["reason"] == "RolledBack")
    assert event["involvedObject"]["name"] == "web"
    assert event["message"].startswith(
        f"taken back from {plan.from_release} to {plan.to_release} by canary-errors"
    )


def test_the_owners_next_server_side_apply_succeeds(cluster: Cluster, namespace: str) -> None:
    """Our entry in managedFields is gone, so nothing conflicts with us when the next version is deployed."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.apply(deployment("web", cluster.image("bad")), namespace)
    web(cluster, namespace).goes_back()
    entries = cluster.get("Deployment", namespace, "web")["metadata"]["managedFields"]
    assert "rollback-controller" not in {entry["manager"] for entry in entries}
    manifest = deployment("web", cluster.image("v2"))
    cluster.kubectl(
        "apply",
        "--server-side",
        "--field-manager=shop-team",
        "-n",
        namespace,
        "-f",
        "-",
        stdin=json.dumps(manifest),
    )
    cluster.wait_rolled_out("Deployment", namespace, "web")


def test_replicas_and_foreign_annotations_stay_as_they_are(cluster: Cluster, namespace: str) -> None:
    """Only the pod template goes back; how many pods there are is somebody else's decision."""
    with_a_bad_release(cluster, namespace, annotations={"shop.example/owner": "team-a"})
    cluster.patch("Deployment", namespace, "web", {"spec": {"replicas": 3}})
    web(cluster, namespace).goes_back()
    found = cluster.get("Deployment", namespace, "web")
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["annotations"]["shop.example/owner"] == "team-a"


def test_images_alone_go_back_where_the_rule_says_so(cluster: Cluster, namespace: str) -> None:
    """`restore: images`: the rest of the template stays as the newest deploy made it."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.apply(deployment("web", cluster.image("bad"), pod_labels={"shop.example/config": "new"}), namespace)
    driven = web(cluster, namespace, restore=Restore.IMAGES)
    plan = driven.goes_back()
    template = cluster.get("Deployment", namespace, "web")["spec"]["template"]
    assert template["metadata"]["labels"]["shop.example/config"] == "new"
    assert "@sha256:" in template["spec"]["containers"][0]["image"]
    assert driven.observed().running == plan.to_release


def test_a_paused_deployment_is_held(cluster: Cluster, namespace: str) -> None:
    """Somebody paused it on purpose; a rule acts only where it says `when-paused: resume`."""
    with_a_bad_release(cluster, namespace)
    cluster.patch("Deployment", namespace, "web", {"spec": {"paused": True}})
    with pytest.raises(Permanent, match="paused") as refused:
        web(cluster, namespace).planned()
    assert refused.value.reason is Reason.PAUSED


def test_a_paused_deployment_is_resumed_where_the_rule_says_so(cluster: Cluster, namespace: str) -> None:
    """The pods that serve stay, the pods of the bad release go."""
    with_a_bad_release(cluster, namespace)
    cluster.patch("Deployment", namespace, "web", {"spec": {"paused": True}})
    web(cluster, namespace, when_paused=WhenPaused.RESUME).goes_back()
    found = cluster.get("Deployment", namespace, "web")
    assert not found["spec"].get("paused")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v1")


def test_without_history_nothing_is_done(cluster: Cluster, namespace: str) -> None:
    """`revisionHistoryLimit: 0`, once the rollout of the bad release is over."""
    cluster.roll(deployment("web", cluster.image("v1"), revisionHistoryLimit=0), namespace)
    cluster.roll(deployment("web", cluster.image("v2"), revisionHistoryLimit=0), namespace)
    driven = web(cluster, namespace)
    until(lambda: driven.observed().no_history, within_s=20, what="the old ReplicaSet is cleaned up")
    choice = driven.choice()
    assert (choice.chosen, choice.reason) == (None, Reason.NO_HISTORY)
    assert "revisionHistoryLimit" in choice.candidates[0].detail


def test_a_first_release_has_no_previous_one(cluster: Cluster, namespace: str) -> None:
    """The message says what a rule could offer instead."""
    cluster.apply(deployment("web", cluster.image("bad")), namespace)
    choice = web(cluster, namespace).choice()
    assert (choice.chosen, choice.reason) == (None, Reason.FIRST_RELEASE)
    assert "same-as" in choice.candidates[0].detail


def test_revision_gaps_never_lead_from_one_bad_release_to_another(cluster: Cluster, namespace: str) -> None:
    """v1 → v2 → back → v3 → back: revision numbers move, and v2 is never gone to."""
    with_a_bad_release(cluster, namespace, tag="bad")
    left = {web(cluster, namespace).goes_back().from_release or ""}
    cluster.set_image("Deployment", namespace, "web", cluster.image("crash"))
    second = web(cluster, namespace).goes_back(frozenset(left))
    assert second.to_release.startswith("v1+")
    left.add(second.from_release or "")
    choice = web(cluster, namespace).choice(frozenset(left))
    assert choice.chosen is None
    assert {c.reason for c in choice.candidates} == {Reason.RELEASE_CURRENT, Reason.JUST_ROLLED_BACK_FROM}


def test_a_restart_is_no_other_release(cluster: Cluster, namespace: str) -> None:
    """`kubectl rollout restart` of the bad release makes a revision that equals it, and that is passed over."""
    with_a_bad_release(cluster, namespace)
    cluster.kubectl("rollout", "restart", "deployment/web", "-n", namespace)
    plan = web(cluster, namespace).planned()
    assert plan.to_release.startswith("v1+")


def test_what_failing_pods_say_is_kept(cluster: Cluster, namespace: str) -> None:
    """The log of a container that crashes and the warnings about it are evidence, and gone with the pod."""
    with_a_bad_release(cluster, namespace, tag="crash")
    driven = web(cluster, namespace)
    driven.observed()

    def said() -> str:
        driven.observed()
        return json.dumps(dict(driven.driver.evidence()))

    until(
        lambda: "cannot open /etc/shop/tariffs.json" in said(), within_s=30, what="the log is there", every_s=0.5
    )
    until(lambda: "BackOff" in said(), within_s=30, what="the events are there", every_s=0.5)
    assert "exited with 3" in said()


def test_a_release_that_does_not_get_well_fails_in_its_pods_own_words(cluster: Cluster, namespace: str) -> None:
    """Gone back to a release whose image is gone by now: the reason names the pod and ImagePullBackOff."""
    missing = cluster.image("never-pushed")
    cluster.apply(deployment("web", missing), namespace)
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    driven = web(cluster, namespace, healthy_within_s=6)
    with pytest.raises(Permanent, match=r"container app is in (ImagePullBackOff|ErrImagePull)") as failed:
        driven.goes_back()
    assert failed.value.reason is Reason.NOT_HEALTHY


def test_the_way_back_puts_the_template_back(cluster: Cluster, namespace: str) -> None:
    """Only while it still is what we made it."""
    with_a_bad_release(cluster, namespace)
    driven = web(cluster, namespace)
    plan = driven.goes_back()
    way_back = driven.driver.plan_way_back(plan, driven.observed())
    assert way_back.to_release == plan.from_release
    driven.carry_out(way_back)
    assert driven.observed().running == plan.from_release
    cluster.set_image("Deployment", namespace, "web", cluster.image("v2"))
    with pytest.raises(Permanent, match="not our doing"):
        driven.driver.plan_way_back(plan, driven.observed())


def test_what_a_gitops_controller_keeps_is_left_alone(cluster: Cluster, namespace: str) -> None:
    """`gitops: refuse` is the default; `force` acts, and the record says that it may be undone."""
    tracked = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}
    with_a_bad_release(cluster, namespace, annotations=tracked)
    with pytest.raises(Permanent, match="Argo CD") as refused:
        web(cluster, namespace).planned()
    assert refused.value.reason is Reason.GITOPS_OWNED
    driven = web(cluster, namespace, gitops=Gitops.FORCE)
    plan = driven.goes_back()
    assert "Argo CD may undo this" in str(driven.step(plan, StepKind.PATCH).values["notes"])


READING = [
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["get", "list"]},
]


def test_where_we_may_only_read_nothing_is_begun(cluster: Cluster, namespace: str) -> None:
    """Before the first change: the message says which right is missing, and the line that grants it."""
    with_a_bad_release(cluster, namespace)
    driven = web(cluster, namespace)
    driven.kubeconfig = cluster.user_kubeconfig("reader", namespace, READING)
    plan = driven.planned()
    with pytest.raises(Permanent, match=r"patch deployments.apps web .* not allowed") as refused:
        driven.driver.preflight(plan)
    assert refused.value.reason is Reason.FORBIDDEN
    assert 'verbs: ["get", "list", "patch"]' in str(refused.value)


def test_a_dry_run_writes_nothing(cluster: Cluster, namespace: str) -> None:
    """Looking, planning, gathering evidence and asking whether it could be: the workload stays as it is."""
    with_a_bad_release(cluster, namespace)
    driven = web(cluster, namespace)
    before = cluster.get("Deployment", namespace, "web")
    plan = driven.planned()
    driven.driver.evidence()
    driven.driver.preflight(plan)
    assert driven.planned().digest == plan.digest
    after = cluster.get("Deployment", namespace, "web")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert "rollback-controller" not in json.dumps(after)
