"""Which workloads a person means: by name, by labels of their pods, or all of a service; never by a guess."""

from __future__ import annotations

import pytest

from rules.decisions import Reason
from rules.errors import Permanent
from rules.instances import WorkloadInstance, WorkloadKind
from rules.workloads.by_hand import Wanted, choose_workloads, located, name_workload
from rules.workloads.seen import WorkloadSeen

ONE, TWO = {"eu": ()}, {"eu": (), "us": ("shop",)}
NAME = "app.kubernetes.io/name"


def seen(name: str, namespace: str = "shop", own: dict[str, str] | None = None, **labels: str) -> WorkloadSeen:
    pods = {NAME: "web"} | {label: value for label, value in labels.items() if value}
    return WorkloadSeen(namespace, WorkloadKind.DEPLOYMENT, name, labels=own or {}, template_labels=pods)


CANARY, STABLE = seen("web-canary", track="canary"), seen("web", track="stable")


@pytest.mark.parametrize(
    ("word", "cluster", "namespace", "clusters", "means"),
    [
        ("kubernetes/us/shop/daemonset/agent", "", "", TWO, "kubernetes/us/shop/daemonset/agent"),
        ("kubernetes/us/shop/daemonset/agent", "us", "shop", TWO, "kubernetes/us/shop/daemonset/agent"),
        ("deployment/web", "", "shop", ONE, "kubernetes/eu/shop/deployment/web"),
        ("deploy/web", "eu", "shop", TWO, "kubernetes/eu/shop/deployment/web"),
        ("StatefulSets/db", "", "shop", ONE, "kubernetes/eu/shop/statefulset/db"),
        ("ds/agent", "us", "", TWO, "kubernetes/us/shop/daemonset/agent"),
    ],
)
def test_a_name_is_completed_where_there_is_one_way_to(
    word: str, cluster: str, namespace: str, clusters: dict[str, tuple[str, ...]], means: str
) -> None:
    """The only cluster, the only namespace that the cluster is confined to, kubectl's short words for kinds."""
    assert name_workload(word, cluster=cluster, namespace=namespace, clusters=clusters).id == means


@pytest.mark.parametrize(
    ("word", "cluster", "namespace", "clusters", "says"),
    [
        ("web", "", "shop", ONE, "write KIND/NAME, as in deployment/web-canary"),
        ("pod/web-1", "", "shop", ONE, "with deployment, statefulset or daemonset"),
        ("deployment/web", "", "shop", TWO, "say which one, eu or us"),
        ("deployment/web", "", "", ONE, "say which namespace"),
        ("deployment/web", "ap", "shop", TWO, "there is: eu, us"),
        ("deployment/We b", "", "shop", ONE, "cannot name an object"),
        ("deployment/web", "", "a/b", ONE, "cannot name"),
        ("deployment/../secrets", "", "shop", ONE, "cannot name"),
        ("deployment/", "", "shop", ONE, "empty"),
        ("kubernetes/eu/shop/pod/web", "", "", ONE, "is not an instance"),
        ("kubernetes/eu/shop/deployment/web", "", "other", ONE, "leave one of them out"),
        ("kubernetes/ap/shop/deployment/web", "", "", ONE, "there is: eu"),
    ],
)
def test_what_names_nothing_says_what_to_write(
    word: str, cluster: str, namespace: str, clusters: dict[str, tuple[str, ...]], says: str
) -> None:
    """Before any cluster is asked."""
    with pytest.raises(ValueError, match=says):
        name_workload(word, cluster=cluster, namespace=namespace, clusters=clusters)


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (None, ["web", "web-canary"]),
        ({"track": ("canary",)}, ["web-canary"]),
        ({"track": ("canary", "stable")}, ["web", "web-canary"]),
    ],
)
def test_a_service_is_what_its_pods_say(only: dict[str, tuple[str, ...]] | None, names: list[str]) -> None:
    """By `app.kubernetes.io/name`, else `app`; `only` is read from the pod template."""
    other = WorkloadSeen("shop", WorkloadKind.DEPLOYMENT, "other", template_labels={"app": "other"})
    chosen = choose_workloads(Wanted("web", only=only), {"eu": [CANARY, STABLE, other]})
    assert [(one.instance.name, one.service) for one in chosen] == [(name, "web") for name in names]  # type: ignore[union-attr]
    assert choose_workloads(Wanted("other"), {"eu": [CANARY, other]})[0].service == "other"


@pytest.mark.parametrize(
    ("wanted", "workloads", "reason", "says"),
    [
        (Wanted("shop"), {"eu": [CANARY]}, Reason.SERVICE_UNKNOWN, "there is: web"),
        (Wanted("shop"), {"eu": []}, Reason.SERVICE_UNKNOWN, "there is: none"),
        (Wanted("web", only={"track": ("beta",)}), {"eu": [CANARY]}, Reason.NOT_SELECTED, "track=canary"),
        (Wanted("web"), {"eu": [STABLE, seen("web", "staging")]}, Reason.INSTANCE_AMBIGUOUS, "shop .* staging"),
        (Wanted("web"), {"eu": [STABLE], "us": [STABLE]}, Reason.INSTANCE_AMBIGUOUS, "eu.*us"),
        (
            Wanted("web", only={"track": ("canary",)}),
            {"eu": [CANARY, seen("web", track="stable", own={"track": "canary"})]},
            Reason.LABELS_CONTRADICT,
            "make them agree",
        ),
    ],
)
def test_what_is_not_one_place_is_refused(
    wanted: Wanted, workloads: dict[str, list[WorkloadSeen]], reason: Reason, says: str
) -> None:
    """With what there is instead."""
    with pytest.raises(Permanent, match=says) as refused:
        choose_workloads(wanted, workloads)
    assert refused.value.reason is reason


def test_a_named_workload_must_belong_to_the_service_that_is_said() -> None:
    """A workload whose pods say no service belongs to the one that a person says."""
    nobody = WorkloadSeen("shop", WorkloadKind.DEPLOYMENT, "web")
    assert located("web", "eu", nobody).instance == WorkloadInstance("eu", "shop", WorkloadKind.DEPLOYMENT, "web")
    with pytest.raises(Permanent, match="belongs to service web"):
        located("shop", "eu", CANARY)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("web"),
        Wanted("web", only={"track": ("canary", "beta")}, cluster="eu", namespace="shop"),
        Wanted("web", (WorkloadInstance("eu", "shop", WorkloadKind.DAEMONSET, "agent"),)),
    ],
)
def test_a_question_is_written_and_read_back(wanted: Wanted) -> None:
    """The server asks, a worker answers."""
    assert Wanted.read(wanted.write()) == wanted
