"""An alert's labels lead to the one workload they are about, as the cluster says; or the reason is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerts import Alert
from rules.decisions import Decision, Outcome, Reason
from rules.errors import NotYet
from rules.instances import WorkloadKind
from rules.rule import KubernetesTarget, Pods, Rule, Target, When
from rules.targets import Located, with_besides
from rules.templates import Template
from rules.to import Previous
from rules.workloads.answers import CannotTell
from rules.workloads.claims import read_claims
from rules.workloads.finding import find_workloads
from rules.workloads.gone import generated, numbered
from rules.workloads.names import wrong_namespace, wrong_object_name
from rules.workloads.seen import Owner, PodSeen, ReplicaSetSeen, WorkloadSeen

DEPLOYMENT, STATEFULSET, DAEMONSET = WorkloadKind


@dataclass
class Facts:
    """One namespace `shop` as data. Every name that is asked for is checked, and noted."""

    found: Sequence[WorkloadSeen] = ()
    sets: Sequence[ReplicaSetSeen] = ()
    pods: Sequence[PodSeen] = ()
    daemon_hash: str = ""
    asked: list[str] = field(default_factory=list)

    def pod(self, namespace: str, name: str) -> PodSeen | None:
        return self._one("pod", namespace, name, self.pods)

    def replica_set(self, namespace: str, name: str) -> ReplicaSetSeen | None:
        return self._one("replicaset", namespace, name, self.sets)

    def replica_sets(self, namespace: str) -> Sequence[ReplicaSetSeen]:
        self.asked.append("replicasets")
        return self.sets if namespace == "shop" else ()

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadSeen | None:
        return self._one(kind, namespace, name, [one for one in self.found if one.kind is kind])

    def workloads(self, namespace: str | None, kinds: Sequence[WorkloadKind]) -> Sequence[WorkloadSeen]:
        self.asked.append("workloads")
        return [one for one in self.found if one.kind in kinds and namespace in (None, one.namespace)]

    def daemon_revision(self, daemon_set: WorkloadSeen) -> str:
        return self.daemon_hash

    def _one(self, what: str, namespace: str, name: str, among: Sequence[Any]) -> Any:
        assert wrong_namespace(namespace) is None
        assert wrong_object_name(name) is None
        self.asked.append(f"{what} {name}")
        return next((one for one in among if one.name == name), None) if namespace == "shop" else None


def owner(kind: str, name: str, group: str = "apps") -> Owner:
    return Owner(group, kind, name, f"uid-{name}")


def deployment(name: str, revision: str = "2", **labels: str) -> WorkloadSeen:
    template = {"app": "web", **labels}
    return WorkloadSeen("shop", DEPLOYMENT, name, f"uid-{name}", {}, template, revision, template={"v": revision})


def replica_set(
    name: str, of: str, revision: str, kind: str = "Deployment", group: str = "apps"
) -> ReplicaSetSeen:
    return ReplicaSetSeen(name, owner(kind, of, group), f"uid-{name}", revision, {"v": revision})


def pod_of(replica_set: str, suffix: str) -> PodSeen:
    return PodSeen(f"{replica_set}-{suffix}", owner("ReplicaSet", replica_set), {}, f"uid-{suffix}")


CANARY = deployment("web-canary", track="canary")
STABLE = deployment("web-stable", track="stable")
DB = WorkloadSeen("shop", STATEFULSET, "db", "uid-db", {}, {"app": "db"}, "db-new")
LOGS = WorkloadSeen("shop", DAEMONSET, "logs", "uid-logs", {}, {"app": "logs"})
SHOP = Facts(
    (CANARY, STABLE, DB, LOGS),
    (
        replica_set("web-canary-5d4f", "web-canary", "2"),
        replica_set("web-canary-7b9c", "web-canary", "1"),
        replica_set("web-stable-6f8d", "web-stable", "2"),
        replica_set("gate-77f9", "gate", "1", "Rollout", "argoproj.io"),
        ReplicaSetSeen("lone-44d4", None, "uid-lone-44d4"),
    ),
    (
        pod_of("web-canary-5d4f", "bb2bb"),
        pod_of("web-canary-5d4f", "cc2cc"),
        pod_of("web-canary-7b9c", "dd4dd"),
        pod_of("web-stable-6f8d", "ff6ff"),
        pod_of("gate-77f9", "gg7gg"),
        pod_of("lone-44d4", "hh8hh"),
        pod_of("gone-11d1", "jj9jj"),
        PodSeen("db-0", owner("StatefulSet", "db"), {"controller-revision-hash": "db-old"}),
        PodSeen("db-1", owner("StatefulSet", "db"), {"controller-revision-hash": "db-new"}),
        PodSeen("logs-kk2kk", owner("DaemonSet", "logs"), {"controller-revision-hash": "new"}),
        PodSeen("logs-ll4ll", owner("DaemonSet", "logs"), {"controller-revision-hash": "old"}),
        PodSeen("mail-28401", owner("Job", "mail", "batch")),
        PodSeen("kruise-0", owner("StatefulSet", "db", "apps.kruise.io")),
        PodSeen("bare"),
    ),
    daemon_hash="new",
)


def rule(
    only: Mapping[str, tuple[str, ...]] | None = None,
    except_: Mapping[str, tuple[str, ...]] | None = None,
    service: str | None = None,
    selector: Mapping[str, str] | None = None,
    pods: Pods = Pods.UPDATED,
    **texts: str,
) -> Rule:
    target = KubernetesTarget(
        **{name: Template(text) for name, text in texts.items()}, selector=selector, pods=pods
    )
    chosen = Target(
        kubernetes=target,
        service=Template(service) if service else None,
        only=only or {},
        except_=except_ or {},
    )
    return Rule("r", When(), chosen, (Previous(),))


def alert(*, at: str | None = "shop", **labels: str) -> Alert:
    return Alert("f", "firing", {**labels, **({"namespace": at} if at else {})}, {}, 0)


def decided(
    rule: Rule, alert: Alert, facts: Facts = SHOP, *siblings: Alert, clusters: Sequence[str] = ("eu",)
) -> list[str] | Decision:
    try:
        claims = read_claims(rule, alert, clusters)
    except CannotTell as answer:
        return answer.decision
    located, decision = find_workloads(rule, alert, siblings, claims, facts)
    if decision is None:
        return [f"{one.instance.kind}/{one.instance.name}" for one in located]  # type: ignore[union-attr]
    assert located == ()
    return decision


def found(*args: Any, **how: Any) -> list[str] | Reason:
    said = decided(*args, **how)
    if isinstance(said, list):
        return said
    assert said.detail
    return said.reason


NAMED = {
    "kube-state-metrics": {"deployment": "web-canary"},
    "its StatefulSet": {"statefulset": "db"},
    "its DaemonSet": {"daemonset": "logs"},
    "the mixin": {"workload": "web-canary", "workload_type": "deployment"},
    "the mixin, of old": {"workload": "db", "workload_type": "StatefulSet"},
    "no kind": {"workload": "logs"},
    "the operator": {"pod": "web-canary-5d4f-bb2bb", "container": "app", "endpoint": "http", "job": "web"},
    "a pod and its workload": {"pod": "web-canary-5d4f-bb2bb", "deployment": "web-canary"},
    "a ReplicaSet": {"replicaset": "web-canary-5d4f"},
    "an owner": {"created_by_kind": "ReplicaSet", "created_by_name": "web-canary-5d4f"},
    "an owning workload": {
        "owner_kind": "Deployment",
        "owner_name": "web-canary",
        "replicaset": "web-canary-5d4f",
    },
    "no owner": {"created_by_kind": "<none>", "created_by_name": "<none>", "deployment": "web-canary"},
    "a plain scrape": {"kubernetes_pod_name": "web-canary-5d4f-bb2bb", "kubernetes_namespace": "shop"},
    "a StatefulSet's pod": {"pod": "db-1"},
    "a DaemonSet's pod": {"pod": "logs-kk2kk"},
    "with its uid": {"pod": "web-canary-5d4f-bb2bb", "uid": "uid-bb2bb"},
}


@pytest.mark.parametrize("labels", NAMED.values(), ids=NAMED)
def test_labels_as_the_usual_exporters_write_them(labels: dict[str, str]) -> None:
    """Each way of naming a workload leads to it, and to nothing else."""
    names = {name for name in ("web-canary", "db", "logs") if any(name in value for value in labels.values())}
    (one,) = found(rule(), alert(**labels))
    assert one.split("/")[1] in names


EXPORTED = {
    "a pod": {"exported_namespace": "shop", "exported_pod": "web-canary-5d4f-bb2bb", "pod": "ksm-1"},
    "a workload": {"exported_namespace": "shop", "deployment": "web-canary", "pod": "ksm-1"},
    "an exported one": {"exported_namespace": "shop", "exported_deployment": "web-canary", "deployment": "ksm"},
    "a plain exporter": {
        "namespace": "shop",
        "pod": "web-canary-5d4f-bb2bb",
        "kubernetes_namespace": "monitoring",
        "kubernetes_pod_name": "ksm-1",
    },
}


@pytest.mark.parametrize("labels", EXPORTED.values(), ids=EXPORTED)
def test_what_was_measured_is_meant_and_never_its_exporter(labels: dict[str, str]) -> None:
    """kube-state-metrics without honor_labels puts its own pod and namespace into the plain labels."""
    said = Alert("f", "firing", {"namespace": "monitoring", **labels}, {}, 0)
    facts = replace(SHOP, asked=[])
    assert found(rule(), said, facts) == ["deployment/web-canary"]
    assert not any("ksm" in asked for asked in facts.asked)


KSM = {"job": "kube-state-metrics", "container": "kube-state-metrics", "endpoint": "http", "service": "mon-ksm"}
HONOURED = {
    "its own pod": ({"deployment": "web-canary", "pod": "mon-kube-state-metrics-6f-x2x2x", **KSM}, True),
    "its own pod, named otherwise": ({"deployment": "web-canary", "pod": "ksm-6f-x2x2x", **KSM}, True),
    "a pod of the workload": ({"deployment": "web-canary", "pod": "web-canary-5d4f-bb2bb", **KSM}, True),
    "an old pod of the workload": ({"deployment": "web-canary", "pod": "web-canary-7b9c-dd4dd", **KSM}, False),
    "a pod alone": ({"pod": "ksm-6f-x2x2x", **KSM}, False),
}


@pytest.mark.parametrize(("labels", "counts"), HONOURED.values(), ids=HONOURED)
def test_the_exporters_pod_beside_a_workload_does_not_count(labels: dict[str, str], counts: bool) -> None:
    """kube-state-metrics with honor_labels leaves its own pod where the metric has none."""
    said = found(rule(), alert(**labels))
    assert said == ["deployment/web-canary"] if counts else isinstance(said, Reason)


def test_the_exporters_namespace_in_the_rule_finds_nothing_and_says_where_to_look() -> None:
    """The usual mistake: `{{ $labels.namespace }}` where the metric's own namespace was exported."""
    labels = {"exported_namespace": "shop", "deployment": "web-canary", "pod": "ksm-1"}
    said = decided(rule(namespace="{{ $labels.namespace }}"), alert(at="monitoring", **labels))
    assert isinstance(said, Decision)
    assert said.reason is Reason.WORKLOAD_UNKNOWN
    assert "in shop (its label exported_namespace)" in said.detail


ILLEGAL = {
    "a way up": {"deployment": "../secrets"},
    "a query": {"pod": "web?watch=1"},
    "capitals": {"statefulset": "DB"},
    "a space": {"daemonset": "a b"},
    "a line": {"pod": "a\nb"},
    "nearly": {"pod": "web-\u0430"},
    "far too long": {"workload": "a" * 254},
    "a namespace with a slash": {"namespace": "shop/x", "pod": "a"},
    "an exported one": {"exported_namespace": "..", "pod": "a"},
    "an owner": {"owner_kind": "Deployment", "owner_name": "a/b"},
}


@pytest.mark.parametrize("labels", ILLEGAL.values(), ids=ILLEGAL)
def test_a_value_that_is_no_legal_name_is_refused(labels: dict[str, str]) -> None:
    """It is shown shortened, and nothing is asked."""
    facts = replace(SHOP, asked=[])
    said = decided(rule(), Alert("f", "firing", {"namespace": "shop", **labels}, {}, 0), facts)
    assert isinstance(said, Decision)
    assert (said.outcome, said.reason) == (Outcome.REFUSE, Reason.LABEL_ILLEGAL)
    assert len(said.detail) < 400
    assert said.detail.isprintable()
    assert facts.asked == []


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "namespace",
                "exported_namespace",
                "pod",
                "exported_pod",
                "deployment",
                "workload",
                "replicaset",
                "uid",
            ]
        ),
        st.text(max_size=300) | st.sampled_from(["shop", "web-canary", "web-canary-5d4f-bb2bb", "../x", "%2e%2e"]),
    )
)
def test_labels_of_strangers_never_reach_a_look_up_unchecked(labels: dict[str, str]) -> None:
    """Whatever they hold: each name that is asked for was checked (the facts assert it), or there is a reason."""
    said = found(rule(only={"track": ("canary",)}), Alert("f", "firing", labels, {}, 0), replace(SHOP, asked=[]))
    assert said == ["deployment/web-canary"] or isinstance(said, Reason)


CLUSTERS = {
    "the only one": ({}, {}, ("eu",), ["deployment/web-canary"]),
    "the alert's": ({}, {"cluster": "us"}, ("eu", "us"), ["deployment/web-canary"]),
    "the rule's": ({"cluster": "us"}, {}, ("eu", "us"), ["deployment/web-canary"]),
    "the rule's for the alert's": ({"cluster": "eu"}, {"cluster": "prod-1"}, ("eu",), ["deployment/web-canary"]),
    "what a label of the rule's choice says": (
        {"cluster": "{{ $labels.where }}"},
        {"where": "eu", "cluster": "us"},
        ("eu", "us"),
        ["deployment/web-canary"],
    ),
    "several and nobody says": ({}, {}, ("eu", "us"), Reason.INSTANCE_AMBIGUOUS),
    "an unknown one": ({}, {"cluster": "asia"}, ("eu", "us"), Reason.CLUSTER_UNKNOWN),
    "an unknown one beside the only one": ({}, {"cluster": "asia"}, ("eu",), Reason.CLUSTER_UNKNOWN),
    "an unknown one of the rule": ({"cluster": "asia"}, {}, ("eu",), Reason.CLUSTER_UNKNOWN),
    "none at all": ({}, {}, (), Reason.CLUSTER_UNKNOWN),
    "a rule for another": ({"cluster": "eu"}, {"cluster": "us"}, ("eu", "us"), Reason.NOT_SELECTED),
    "a label that is missing": ({"cluster": "{{ $labels.where }}"}, {}, ("eu",), Reason.LABEL_MISSING),
}


@pytest.mark.parametrize(("texts", "labels", "clusters", "wanted"), CLUSTERS.values(), ids=CLUSTERS)
def test_which_cluster(texts: Any, labels: Any, clusters: Any, wanted: Any) -> None:
    """Never the first of several, and never the only one for an alert that names another."""
    assert found(rule(**texts), alert(deployment="web-canary", **labels), clusters=clusters) == wanted


NAMESPACES = {
    "the rule's": ({"namespace": "shop"}, {"at": None}, ["deployment/web-canary"]),
    "the rule's, looked up": (
        {"namespace": "{{ $labels.ns }}"},
        {"at": "monitoring", "ns": "shop", "pod": "the-exporters"},
        ["deployment/web-canary"],
    ),
    "a rule for another": ({"namespace": "prod"}, {}, Reason.NOT_SELECTED),
    "nobody's": ({}, {"at": None}, Reason.WORKLOAD_UNKNOWN),
    "one without the workload": ({}, {"at": "elsewhere"}, Reason.WORKLOAD_UNKNOWN),
    "a label that is missing": ({"namespace": "{{ $labels.ns }}"}, {}, Reason.LABEL_MISSING),
}


@pytest.mark.parametrize(("texts", "labels", "wanted"), NAMESPACES.values(), ids=NAMESPACES)
def test_which_namespace(texts: Any, labels: Any, wanted: Any) -> None:
    """The rule's, else the alert's own; a fixed one is not about alerts of another."""
    assert found(rule(**texts), alert(deployment="web-canary", **labels)) == wanted


DISAGREEING = {
    "two labels": {"deployment": "web-canary", "statefulset": "db"},
    "a label and a pod": {"deployment": "web-stable", "pod": "web-canary-5d4f-bb2bb"},
    "a pod and an owner": {"pod": "db-1", "created_by_kind": "ReplicaSet", "created_by_name": "web-canary-5d4f"},
    "a name that does not exist": {"deployment": "web", "pod": "web-canary-5d4f-bb2bb"},
}


@pytest.mark.parametrize("labels", DISAGREEING.values(), ids=DISAGREEING)
def test_labels_that_disagree_are_ambiguous(labels: dict[str, str]) -> None:
    """Both are named, and nothing is guessed."""
    said = decided(rule(), alert(**labels))
    assert isinstance(said, Decision)
    assert (said.outcome, said.reason) == (Outcome.HOLD, Reason.INSTANCE_AMBIGUOUS)
    assert said.detail.count(" and ") + said.detail.count(", ") >= 1


def test_a_name_that_several_kinds_have_is_ambiguous() -> None:
    """Unless its kind is said."""
    twins = Facts((CANARY, replace(CANARY, kind=DAEMONSET, revision="")))
    assert found(rule(workload="web-canary"), alert(), twins) == Reason.INSTANCE_AMBIGUOUS
    assert found(rule(workload="deploy/web-canary"), alert(), twins) == ["deployment/web-canary"]


BY_RULE = {
    "in full": ("deployment/web-canary", {}, ["deployment/web-canary"]),
    "a short kind": ("sts/db", {}, ["statefulset/db"]),
    "no kind": ("logs", {}, ["daemonset/logs"]),
    "a label": ("{{ $labels.app }}", {"app": "web-canary"}, ["deployment/web-canary"]),
    "a kind and a label": ("deployment/{{ $labels.app }}", {"app": "web-canary"}, ["deployment/web-canary"]),
    "a label with a kind": ("{{ $labels.app }}", {"app": "deployment/web-canary"}, ["deployment/web-canary"]),
    "a label with an unknown kind": ("{{ $labels.app }}", {"app": "job/mail"}, Reason.LABEL_ILLEGAL),
    "a label with more": ("deployment/{{ $labels.app }}", {"app": "x/../y"}, Reason.LABEL_ILLEGAL),
    "no such": ("deployment/web", {}, Reason.WORKLOAD_UNKNOWN),
    "another kind": ("daemonset/web-canary", {}, Reason.WORKLOAD_UNKNOWN),
    "a missing label": ("{{ $labels.app }}", {}, Reason.LABEL_MISSING),
    "against the alert": ("deployment/web-canary", {"pod": "db-1"}, Reason.INSTANCE_AMBIGUOUS),
}


@pytest.mark.parametrize(("workload", "labels", "wanted"), BY_RULE.values(), ids=BY_RULE)
def test_a_rule_names_the_workload(workload: str, labels: dict[str, str], wanted: Any) -> None:
    """With or without its kind, and never against what the alert names."""
    assert found(rule(workload=workload), alert(**labels)) == wanted


def test_an_alert_that_names_nothing_teaches_what_to_add() -> None:
    """The sentence names the labels and the fields."""
    said = decided(rule(), alert(alertname="A", severity="critical"))
    assert isinstance(said, Decision)
    assert (said.outcome, said.reason) == (Outcome.REFUSE, Reason.WORKLOAD_UNKNOWN)
    assert all(word in said.detail for word in ("pod", "deployment", "`workload:`", "`selector:`"))


OWNERS = {
    "a bare pod": ("bare", "belongs to no workload"),
    "a Job": ("mail-28401", "Job mail"),
    "an Argo Rollout": ("gate-77f9-gg7gg", "Rollout gate (argoproj.io)"),
    "a ReplicaSet alone": ("lone-44d4-hh8hh", "ReplicaSet lone-44d4 belongs to no workload"),
    "an orphan": ("gone-11d1-jj9jj", "its ReplicaSet gone-11d1 is gone"),
    "somebody else's StatefulSet": ("kruise-0", "StatefulSet db (apps.kruise.io)"),
}


@pytest.mark.parametrize(("pod", "said"), OWNERS.values(), ids=OWNERS)
def test_a_pod_of_something_else_is_refused_with_its_name(pod: str, said: str) -> None:
    """Nobody knows its earlier releases."""
    answer = decided(rule(), alert(pod=pod))
    assert isinstance(answer, Decision)
    assert (answer.outcome, answer.reason) == (Outcome.REFUSE, Reason.WORKLOAD_UNKNOWN)
    assert said in answer.detail


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Rollout", "Node"])
def test_a_label_that_names_something_else_is_refused(kind: str) -> None:
    """Before anything is asked."""
    said = decided(rule(), alert(owner_kind=kind, owner_name="x"))
    assert isinstance(said, Decision)
    assert said.reason is Reason.WORKLOAD_UNKNOWN
    assert f"{kind} x" in said.detail


def test_a_workload_that_was_recreated_does_not_own_the_old_ones_pods() -> None:
    """The uid of the ownerReference decides, not the name."""
    again = replace(SHOP, found=(replace(CANARY, uid="another"),))
    assert found(rule(), alert(pod="web-canary-5d4f-bb2bb"), again) == Reason.WORKLOAD_UNKNOWN


OLD_PODS = {
    "of an old ReplicaSet": ({"pod": "web-canary-7b9c-dd4dd"}, "deployment/web-canary"),
    "outside the partition": ({"pod": "db-0"}, "statefulset/db"),
    "of a DaemonSet": ({"pod": "logs-ll4ll"}, "daemonset/logs"),
    "an old ReplicaSet itself": ({"replicaset": "web-canary-7b9c"}, "deployment/web-canary"),
    "and its workload": ({"deployment": "web-canary", "pod": "web-canary-7b9c-dd4dd"}, "deployment/web-canary"),
    "gone": ({"pod": "web-canary-7b9c-zz2zz"}, "deployment/web-canary"),
}


@pytest.mark.parametrize(("labels", "workload"), OLD_PODS.values(), ids=OLD_PODS)
def test_an_alert_about_a_pod_of_an_older_revision_takes_nothing_back(labels: Any, workload: str) -> None:
    """`pods: updated`; with `any` every pod counts."""
    assert found(rule(), alert(**labels)) == Reason.STALE
    assert found(rule(pods=Pods.ANY), alert(**labels)) == [workload]


def test_a_paused_deployment_has_no_updated_pods() -> None:
    """Its template moved on, its number did not."""
    paused = replace(CANARY, paused=True, template={"v": "3"})
    facts = replace(SHOP, found=(paused,))
    assert found(rule(), alert(pod="web-canary-5d4f-bb2bb"), facts) == Reason.STALE


def test_a_deployment_that_its_controller_has_not_seen_is_asked_again() -> None:
    """For a moment its number is that of the revision before."""
    facts = replace(SHOP, found=(replace(CANARY, settled=False),))
    with pytest.raises(NotYet):
        found(rule(), alert(pod="web-canary-5d4f-bb2bb"), facts)
    assert found(rule(), alert(deployment="web-canary"), facts) == ["deployment/web-canary"]


MADE = {
    "a ReplicaSet's": ("web-5d4f-bcdfg", "web-5d4f", True),
    "too short": ("web-5d4f-bcdf", "web-5d4f", False),
    "too long": ("web-5d4f-bcdfgh", "web-5d4f", False),
    "vowels": ("web-5d4f-abcde", "web-5d4f", False),
    "a digit that is not used": ("web-5d4f-bcd1f", "web-5d4f", False),
    "a longer name": ("web-5d4f-7b9cd-bcdfg", "web-5d4f", False),
    "a cut base": (f"{'a' * 58}bcdfg", "a" * 70, True),
    "a base of just that length": (f"{'a' * 57}-bcdfg", "a" * 57, True),
    "a base that is not cut": (f"{'a' * 70}-bcdfg", "a" * 70, False),
}


@pytest.mark.parametrize(("pod", "owner", "made"), MADE.values(), ids=MADE)
def test_names_that_the_api_server_makes(pod: str, owner: str, made: bool) -> None:
    """58 characters of base, and five out of twenty-seven."""
    assert generated(pod, owner) is made


@pytest.mark.parametrize(
    ("pod", "made"),
    [("db-0", True), ("db-12", True), ("db-01", False), ("db-", False), ("db-x", False), ("d-0", False)],
)
def test_names_that_a_stateful_set_makes(pod: str, made: bool) -> None:
    """An ordinal, as it is written."""
    assert numbered(pod, "db") is made


def test_a_pod_that_is_gone_is_found_through_its_replica_set() -> None:
    """Its number tells that the pod was of the newest revision."""
    assert found(rule(), alert(pod="web-canary-5d4f-xx2xx")) == ["deployment/web-canary"]


def test_a_gone_pod_of_a_foreign_owner_is_refused_with_its_name() -> None:
    """Found, and not ours."""
    said = decided(rule(), alert(pod="gate-77f9-xx2xx"))
    assert isinstance(said, Decision)
    assert "Rollout gate" in said.detail


@pytest.mark.parametrize("pod", ["db-7", "logs-zz2zz"])
def test_the_revision_of_some_gone_pods_cannot_be_told(pod: str) -> None:
    """The workload is known, and whether the pod ran its newest revision is not."""
    said = decided(rule(), alert(pod=pod))
    assert isinstance(said, Decision)
    assert said.reason is Reason.POD_GONE
    assert f"the pod {pod} (the label pod) is gone; " in said.detail
    assert "makes pods of this name; which revision it ran is unknown" in said.detail
    assert len(found(rule(pods=Pods.ANY), alert(pod=pod))) == 1


def test_a_pod_of_the_same_name_and_another_uid_is_another_pod() -> None:
    """A StatefulSet gives a name again: the alert's pod is gone, and its revision with it."""
    assert found(rule(), alert(pod="db-1", uid="of-the-old-one")) == Reason.POD_GONE


def test_names_are_never_cut() -> None:
    """`web-canary-<hash>-<suffix>` of a ReplicaSet that was pruned leads nowhere, though a Deployment fits."""
    said = decided(rule(pods=Pods.ANY), alert(pod="web-canary-99c8-xx2xx"))
    assert isinstance(said, Decision)
    assert (said.outcome, said.reason) == (Outcome.REFUSE, Reason.POD_GONE)


def test_several_that_could_have_made_it_are_refused() -> None:
    """Long names share what the API server leaves of them."""
    names = [f"{'a' * 60}-{end}" for end in ("5d4f", "7b9c")]
    facts = replace(SHOP, sets=[replica_set(name, "web-canary", "2") for name in names])
    assert found(rule(), alert(pod=f"{'a' * 58}bcdfg"), facts) == Reason.POD_GONE


def test_a_gone_pod_beside_its_workloads_name_needs_pods_any() -> None:
    """The workload is named, the revision of the pod is not known."""
    labels = {"pod": "web-canary-99c8-xx2xx", "deployment": "web-canary"}
    assert found(rule(), alert(**labels)) == Reason.POD_GONE
    assert found(rule(pods=Pods.ANY), alert(**labels)) == ["deployment/web-canary"]


PRUNED = alert(alertname="A", pod="web-canary-99c8-xx2xx", instance="10.0.0.1:80")


def sibling(pod: str, **labels: str) -> Alert:
    return alert(alertname="A", pod=pod, instance="10.0.0.2:80", **labels)


SIBLINGS = {
    "one workload": (["web-canary-5d4f-bb2bb", "web-canary-5d4f-cc2cc"], ["deployment/web-canary"]),
    "two workloads": (["web-canary-5d4f-bb2bb", "web-stable-6f8d-ff6ff"], Reason.POD_GONE),
    "gone too": (["web-canary-99c8-yy2yy"], Reason.POD_GONE),
    "a bare pod": (["bare"], Reason.POD_GONE),
    "none": ([], Reason.POD_GONE),
}


@pytest.mark.parametrize(("pods", "wanted"), SIBLINGS.values(), ids=SIBLINGS)
def test_a_gone_pod_is_found_through_alerts_that_differ_only_in_their_pod(pods: list[str], wanted: Any) -> None:
    """If they lead to exactly one workload."""
    assert found(rule(pods=Pods.ANY), PRUNED, SHOP, *map(sibling, pods)) == wanted


def test_what_other_alerts_say_is_not_said_of_the_pod_itself() -> None:
    """Nobody who reads it at night takes the gone pod for one of that workload's."""
    said = decided(rule(), PRUNED, SHOP, sibling("web-canary-5d4f-bb2bb"))
    assert isinstance(said, Decision)
    assert said.reason is Reason.POD_GONE
    assert said.detail.startswith(
        "the pod web-canary-99c8-xx2xx (the label pod) is gone; other alerts here are about deployment "
        "web-canary in shop; which revision it ran is unknown"
    )


def test_an_alert_about_something_else_is_no_sibling() -> None:
    """Another label, another thing."""
    other = sibling("web-canary-5d4f-bb2bb", path="/cart")
    assert found(rule(pods=Pods.ANY), PRUNED, SHOP, other) == Reason.POD_GONE


SELECTORS = {
    "all that carry it": ({"app": "web"}, {}, ["deployment/web-canary", "deployment/web-stable"]),
    "two labels": ({"app": "web", "track": "canary"}, {}, ["deployment/web-canary"]),
    "nothing": ({"app": "cart"}, {}, Reason.WORKLOAD_UNKNOWN),
    "every one": ({}, {}, ["daemonset/logs", "deployment/web-canary", "deployment/web-stable", "statefulset/db"]),
    "what the alert names too": ({"app": "web"}, {"deployment": "web-canary"}, ["deployment/web-canary"]),
    "not what the alert names": ({"app": "db"}, {"deployment": "web-canary"}, Reason.INSTANCE_AMBIGUOUS),
    "a pod that is gone": ({"app": "web"}, {"pod": "web-canary-99c8-xx2xx"}, Reason.POD_GONE),
    "a name that does not exist": ({"app": "web"}, {"deployment": "web"}, Reason.WORKLOAD_UNKNOWN),
}


@pytest.mark.parametrize(("selector", "labels", "wanted"), SELECTORS.values(), ids=SELECTORS)
def test_a_selector_takes_what_the_alert_does_not_name(selector: Any, labels: Any, wanted: Any) -> None:
    """A name in the alert narrows it, and is never widened by it."""
    assert found(rule(selector=selector, service="shop"), alert(**labels)) == wanted


def test_everywhere_on_purpose() -> None:
    """`namespace: "*"` looks in every one; a name still means one in the alert's own."""
    facts = replace(SHOP, found=(CANARY, replace(STABLE, namespace="shop-2")))
    everywhere = rule(selector={"app": "web"}, namespace="*")
    assert found(everywhere, alert(at=None), facts) == ["deployment/web-canary", "deployment/web-stable"]
    assert found(everywhere, alert(deployment="web-canary"), facts) == ["deployment/web-canary"]
    assert found(everywhere, alert(at=None, deployment="web-canary"), facts) == Reason.WORKLOAD_UNKNOWN


def test_the_canary_is_what_the_live_workload_says_not_what_the_alert_says() -> None:
    """`track: canary` touches no stable workload, whatever the alert claims."""
    canary_only = rule(only={"track": ("canary",)})
    assert found(canary_only, alert(deployment="web-canary", track="stable")) == ["deployment/web-canary"]
    assert found(canary_only, alert(deployment="web-stable", track="canary")) == Reason.NOT_SELECTED


CHOSEN = {
    "any of": ({"track": ("canary", "beta")}, {}, True),
    "none of": ({}, {"track": ("canary",)}, False),
    "another": ({}, {"track": ("stable",)}, True),
    "missing is empty": ({"zone": ("",)}, {}, True),
    "missing": ({"zone": ("a",)}, {}, False),
    "except missing": ({}, {"zone": ("",)}, False),
}


@pytest.mark.parametrize(("only", "except_", "chosen"), CHOSEN.values(), ids=CHOSEN)
def test_only_and_except(only: Any, except_: Any, chosen: bool) -> None:
    """As for hosts."""
    wanted = ["deployment/web-canary"] if chosen else Reason.NOT_SELECTED
    assert found(rule(only, except_), alert(deployment="web-canary")) == wanted


@pytest.mark.parametrize(
    ("own", "refused"),
    [({"track": "stable"}, True), ({"track": ""}, True), ({"track": "canary"}, False), ({"team": "x"}, False)],
)
def test_a_workload_whose_own_labels_contradict_its_pods_is_refused(own: dict[str, str], refused: bool) -> None:
    """For a label that the rule goes by."""
    facts = Facts((replace(CANARY, labels=own),))
    wanted = Reason.LABELS_CONTRADICT if refused else ["deployment/web-canary"]
    assert found(rule({"track": ("canary",)}), alert(deployment="web-canary"), facts) == wanted


def test_a_stable_workload_that_calls_itself_canary_is_refused_too() -> None:
    """Nobody knows which it is."""
    facts = Facts((replace(STABLE, labels={"track": "canary"}),))
    said = found(rule({"track": ("canary",)}), alert(deployment="web-stable"), facts)
    assert said == Reason.LABELS_CONTRADICT


ODD = replace(deployment("web-odd", track="canary"), labels={"track": "stable"})
ODDER = replace(STABLE, name="web-odder", labels={"track": "canary"})
NAMELESS = WorkloadSeen("shop", DEPLOYMENT, "nameless", "", {}, {"track": "canary"})


def located(asked: Rule, *workloads: WorkloadSeen) -> tuple[tuple[Located, ...], Decision | None]:
    return find_workloads(asked, alert(), (), read_claims(asked, alert(), ("eu",)), Facts(workloads))


def test_one_workload_that_cannot_be_told_stops_none_of_the_others() -> None:
    """Where a selector leads to several; each of the others says what was left out, and why."""
    for at, odd in enumerate([ODD, ODDER, NAMELESS]):
        found, decision = located(rule({"track": ("canary",)}, selector={}), CANARY, STABLE, odd, DB)
        assert decision is None
        assert [one.instance.name for one in found] == ["web-canary"]  # type: ignore[union-attr]
        said = with_besides("rollback r1", found)
        assert said.startswith(
            f"rollback r1; left out: deployment {odd.name} in shop" if at < 2 else "rollback r1; "
        )
        assert ("make them agree" in said, "no service is named" in said) == (at < 2, at == 2)


def test_nothing_is_left_out_where_all_can_be_told() -> None:
    """One that the rule does not select is nobody's business."""
    found, _ = located(rule({"track": ("canary",)}, selector={}), CANARY, STABLE, DB)
    assert with_besides("rollback r1", found) == "rollback r1"


@pytest.mark.parametrize(
    ("odd", "reason", "outcome"),
    [
        ([ODD], Reason.LABELS_CONTRADICT, Outcome.REFUSE),
        ([NAMELESS], Reason.SERVICE_UNKNOWN, Outcome.HOLD),
        ([NAMELESS, ODD], Reason.SERVICE_UNKNOWN, Outcome.HOLD),
        ([ODD, NAMELESS], Reason.LABELS_CONTRADICT, Outcome.REFUSE),
    ],
)
def test_where_none_can_be_told_the_alert_is_refused_with_all_reasons(
    odd: list[WorkloadSeen], reason: Reason, outcome: Outcome
) -> None:
    """Those that the rule does not select do not count."""
    ordered = [replace(one, name=f"w{at}") for at, one in enumerate(odd)]
    none, decision = located(rule({"track": ("canary",)}, selector={}), *ordered, STABLE)
    assert (none, decision is not None) == ((), True)
    assert decision is not None
    assert (decision.reason, decision.outcome) == (reason, outcome)
    assert all(one.name in decision.detail for one in ordered)


def test_what_was_left_out_is_told_once_and_not_without_end() -> None:
    """The detail is kept with every decision."""
    odd = [replace(ODD, name=f"odd-{at}") for at in range(50)]
    found, _ = located(rule({"track": ("canary",)}, selector={}), CANARY, replace(CANARY, name="two"), *odd)
    said = with_besides("", found)
    assert said.count("left out: ") == 1
    assert said.endswith("; and 45 more")


labels = st.dictionaries(st.sampled_from(["track", "app", "zone"]), st.sampled_from(["", "a", "b", "canary"]))
choice = st.dictionaries(
    st.sampled_from(["track", "zone"]),
    st.lists(st.sampled_from(["", "a", "canary"]), min_size=1).map(tuple),
)


@given(st.lists(st.tuples(labels, labels), max_size=6), choice, choice)
def test_the_selected_set_never_holds_a_workload_whose_template_is_not_selected(
    workloads: list[tuple[dict[str, str], dict[str, str]]],
    only: dict[str, tuple[str, ...]],
    except_: dict[str, tuple[str, ...]],
) -> None:
    """Whatever the workloads say of themselves."""
    made = [
        WorkloadSeen("shop", DEPLOYMENT, f"w{at}", "", own, template)
        for at, (own, template) in enumerate(workloads)
    ]
    asked = rule(only, except_, selector={}, service="shop")
    said = found(asked, alert(), Facts(made))
    if isinstance(said, list):
        chosen = [one for one in made if f"deployment/{one.name}" in said]
        assert chosen
        assert all(asked.target.scope.selects(one.template_labels) for one in chosen)


SERVICES = {
    "the recommended label": ({"app.kubernetes.io/name": "shop", "app": "web"}, None, "shop"),
    "app": ({"app": "web"}, None, "web"),
    "the rule's": ({"app": "web"}, "cart", "cart"),
    "the rule's, looked up": ({}, "{{ $labels.job }}", "api"),
    "none": ({}, None, Reason.SERVICE_UNKNOWN),
    "a missing label": ({}, "{{ $labels.nothing }}", Reason.LABEL_MISSING),
    "an illegal one": ({}, "{{ $labels.job }}/x", Reason.LABEL_ILLEGAL),
}


@pytest.mark.parametrize(("template", "service", "wanted"), SERVICES.values(), ids=SERVICES)
def test_which_service_a_workload_belongs_to(template: dict[str, str], service: str | None, wanted: Any) -> None:
    """The rule's word, else the pods' labels; without one it holds."""
    facts = Facts((replace(CANARY, template_labels=template),))
    asked, said = rule(service=service), alert(deployment="web-canary", job="api")
    located, decision = find_workloads(asked, said, (), read_claims(asked, said, ("eu",)), facts)
    assert (decision.reason if decision else located[0].service) == wanted
