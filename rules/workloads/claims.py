"""What an alert and a rule claim to be about: where to look, and for what. Nothing is looked up here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.reading.wording import near_miss
from rules.scope import EVERY
from rules.templates import LabelMissing
from rules.workloads.answers import held, not_meant, refused
from rules.workloads.labels import NAMESPACES, is_exporters, looks_elsewhere, named_by_labels, own_namespace
from rules.workloads.named import Claim, WorkloadNamed, legal
from rules.workloads.names import KINDS, shortened, wrong_namespace, wrong_object_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.alerts import Alert
    from rules.rule import KubernetesTarget, Rule
    from rules.templates import Template


@dataclass(frozen=True, slots=True)
class Claims:
    """Where to look, and for what. What is named is in `namespace`; the selector is asked there, or everywhere."""

    cluster: str
    namespace: str
    named: tuple[Claim, ...] = ()
    selector: Mapping[str, str] | None = None
    everywhere: bool = False
    hint: str = ""
    """What a person should know when nothing of it is found."""

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"{self.namespace or 'any namespace'} (cluster {self.cluster})"


def read_claims(rule: Rule, alert: Alert, clusters: Sequence[str]) -> Claims:
    """Say what is claimed; raises `CannotTell` with the decision where that cannot be said.

    `clusters` are the names of the configured ones.
    """
    target = rule.target.kubernetes
    if target is None:
        raise ValueError(f"rule {rule.name} is not about Kubernetes")
    try:
        cluster = _cluster(target, alert, clusters)
        namespace = _namespace(target, alert)
        by_rule = () if target.workload is None else (read_workload(target.workload, alert),)
    except LabelMissing as missing:
        raise refused(Reason.LABEL_MISSING, str(missing)) from missing
    named = (*by_rule, *named_by_labels(alert, namespace))
    everywhere = target.namespace is not None and target.namespace.text == EVERY
    if not named and target.selector is None:
        raise refused(Reason.WORKLOAD_UNKNOWN, _teach(alert, namespace))
    if not namespace and (named or not everywhere):
        raise refused(Reason.WORKLOAD_UNKNOWN, _NO_NAMESPACE)
    return Claims(cluster, namespace, named, target.selector, everywhere, looks_elsewhere(alert, namespace))


def _cluster(target: KubernetesTarget, alert: Alert, clusters: Sequence[str]) -> str:
    if not clusters:
        raise held(Reason.CLUSTER_UNKNOWN, "no cluster is configured; name one under `clusters:` in the settings")
    said = alert.labels.get("cluster", "")
    if target.cluster is not None:
        return _cluster_of_rule(target.cluster, said, alert, clusters)
    if said and said not in clusters:
        raise refused(Reason.CLUSTER_UNKNOWN, _no_cluster("the alert's label cluster names", said, clusters))
    if not said and len(clusters) > 1:
        raise held(
            Reason.INSTANCE_AMBIGUOUS,
            f"there are several clusters ({', '.join(clusters)}) and the alert has no label cluster; "
            "add it to the alert, or `cluster:` to the rule",
        )
    return said or clusters[0]


def _cluster_of_rule(template: Template, said: str, alert: Alert, clusters: Sequence[str]) -> str:
    """Return the rule's cluster; a fixed one is not meant by an alert about another of ours."""
    cluster = template.expand(alert.labels, alert.annotations)
    if cluster not in clusters:
        raise refused(Reason.CLUSTER_UNKNOWN, _no_cluster("the rule names", cluster, clusters))
    if said in clusters and said != cluster and not template.lookups:
        detail = f"the rule is about cluster {cluster}, and the alert about cluster {said}"
        raise not_meant(Reason.NOT_SELECTED, detail)
    return cluster


def _no_cluster(who: str, cluster: str, clusters: Sequence[str]) -> str:
    return (
        f"{who} cluster {shortened(cluster)}, and the settings name {', '.join(clusters)}"
        f"{near_miss(cluster, clusters)}; give the cluster that is meant this name in the settings (with Helm: "
        "`targets.clusterName`, or a key of `clusters`), or say `cluster:` in the rule"
    )


def _namespace(target: KubernetesTarget, alert: Alert) -> str:
    """Return the namespace in which names are looked up; nothing where nobody says one."""
    own = own_namespace(alert)
    if target.namespace is None or target.namespace.text == EVERY:
        return own
    namespace = target.namespace.expand(alert.labels, alert.annotations)
    legal(namespace, f"the rule's namespace {target.namespace}", wrong_namespace)
    if own and not target.namespace.lookups and namespace not in map(alert.labels.get, NAMESPACES):
        detail = f"the rule is about namespace {namespace}, and the alert about {own}"
        raise not_meant(Reason.NOT_SELECTED, detail)
    return namespace


def read_workload(template: Template, alert: Alert) -> WorkloadNamed:
    """Read the rule's `workload`, like `deployment/web` or `web`."""
    written = template.expand(alert.labels, alert.annotations)
    word, slash, name = written.rpartition("/")
    if slash and word.lower() not in KINDS:
        raise refused(Reason.LABEL_ILLEGAL, f"the rule's workload {template}: {no_kind(word)}")
    kinds = (KINDS[word.lower()],) if slash else tuple(WorkloadKind)
    return WorkloadNamed(legal(name, f"the rule's workload {template}", wrong_object_name), kinds, "the rule")


def no_kind(word: str) -> str:
    """Say that a word is no kind of workload."""
    known = tuple(WorkloadKind)
    return f"{shortened(word)} is no kind of workload{near_miss(word, known) or '; write ' + ' or '.join(known)}"


_NO_NAMESPACE = (
    "nothing names a namespace: give the alert a label namespace, or the rule `namespace:` under `kubernetes`"
)


def _teach(alert: Alert, namespace: str) -> str:
    exporters = (
        " (its label pod is that of the exporter that measured it, and does not count)"
        if alert.labels.get("pod") and is_exporters(alert, "pod")
        else ""
    )
    return (
        f"nothing names a workload{exporters}: give the alert a label pod, deployment, statefulset, daemonset or "
        f"workload, or the rule `workload:` or `selector:`{looks_elsewhere(alert, namespace)}"
    )
