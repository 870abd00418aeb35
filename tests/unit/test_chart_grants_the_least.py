"""Rights from the one table, tokens and secrets only where they are needed, and Pod Security "restricted"."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.chart_shapes import MINIMAL, SHAPES, of_kind, pods_of
from testbed.helm_engine import Manifest, manifests

from workers.kubernetes.rights import PAUSING, RIGHTS, Right


def _rules(rights: tuple[Right, ...]) -> list[dict[str, Any]]:
    return [{"apiGroups": [r.group], "resources": [*r.resources], "verbs": [*r.verbs]} for r in rights]


NEEDED, OPTIONAL = (tuple(r for r in RIGHTS if r.optional is said) for said in (False, True))
GRANTS = [
    ("minimal", {}, {"Role shop": (*NEEDED, *OPTIONAL)}),
    ("minimal", {"optionalRights": False}, {"Role shop": NEEDED}),
    ("minimal", {"namespaces": ["shop", "pay", "shop"]}, None),  # the schema: nothing twice
    ("hosts-only", {}, {}),
    ("ha", {}, {"ClusterRole -": (*NEEDED, *OPTIONAL), "ClusterRole - pausing": PAUSING}),
    (
        "several-clusters",
        {},
        {
            "Role shop": (*NEEDED, *OPTIONAL),
            "Role pay": (*NEEDED, *OPTIONAL),
            "Role argocd pausing": tuple(right for right in PAUSING if not right.wide),
        },
    ),
]


@pytest.mark.parametrize(("name", "targets", "granted"), GRANTS)
def test_workers_may_exactly_what_the_drivers_table_says(
    name: str, targets: dict[str, Any], granted: dict[str, tuple[Right, ...]] | None
) -> None:
    """In the namespaces that are listed, or in the cluster when asked; nobody else may anything."""
    values = {**SHAPES[name], "targets": {**SHAPES[name].get("targets", {}), **targets}}
    if granted is None:
        with pytest.raises(Exception, match="are equal"):
            manifests(values)
        return
    objects = manifests(values)
    found = {}
    for role in of_kind(objects, "Role", "ClusterRole"):
        metadata = role["metadata"]
        pausing = " pausing" if metadata["name"].endswith("-pausing") else ""
        found[f"{role['kind']} {metadata.get('namespace', '-')}{pausing}"] = role
    assert {key: role["rules"] for key, role in found.items()} == {
        key: _sorted(_rules(rights), found[key]["rules"]) for key, rights in granted.items()
    }
    bindings = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    assert len(bindings) == len(found)
    worker = pods_of(objects)["worker"]["serviceAccountName"]
    for binding in bindings:
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": worker, "namespace": "rollback"}]
        (role,) = (
            r
            for r in found.values()
            if r["metadata"]["name"] == binding["metadata"]["name"]
            and r["metadata"].get("namespace") == binding["metadata"].get("namespace")
        )
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (role["kind"], role["metadata"]["name"])


def _sorted(rules: list[dict[str, Any]], like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order does not matter; what is missing or too much does."""
    return sorted(rules, key=lambda rule: like.index(rule) if rule in like else len(like))


def test_only_workers_that_need_it_have_a_token(shape: str, objects: list[Manifest]) -> None:
    """The receiver takes notifications from strangers: it could not use one."""
    tokens = {role: pod["automountServiceAccountToken"] for role, pod in pods_of(objects).items()}
    assert tokens.pop("worker") is (shape != "hosts-only")
    assert not any(tokens.values())
    for account in of_kind(objects, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    pods = pods_of(objects)
    assert pods["receiver"]["serviceAccountName"] != pods["worker"]["serviceAccountName"]


def test_no_object_holds_a_secret(objects: list[Manifest]) -> None:
    """Not even an empty one: credentials are named."""
    assert not of_kind(objects, "Secret")


VOLUMES = {
    "configMap",
    "emptyDir",
    "projected",
    "secret",
    "persistentVolumeClaim",
    "downwardAPI",
    "csi",
    "ephemeral",
}


def test_pods_satisfy_pod_security_restricted(shape: str, objects: list[Manifest]) -> None:
    """Each line of the standard, as Kubernetes' documentation lists them."""
    for role, pod in pods_of(objects).items():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {*pod}, role
        assert all(VOLUMES & {*volume} for volume in pod["volumes"])
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"]["type"] == "RuntimeDefault"
        if shape != "external-redis-tls":  # there the platform chooses
            assert context["runAsUser"] > 0
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert not {"privileged", "runAsUser"} & {*own}
            assert not [port for port in container.get("ports", []) if "hostPort" in port]
            assert {"requests", "limits"} <= {*container["resources"]}
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
        assert pod["enableServiceLinks"] is False  # a service called rollback would bring ROLLBACK_… variables


def test_a_platform_that_chooses_the_user_is_not_told_one() -> None:
    """`null` takes a key away."""
    for pod in pods_of(manifests(SHAPES["external-redis-tls"])).values():
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & {*pod["securityContext"]}


def test_secrets_are_readable_by_us_and_not_by_everybody(objects: list[Manifest]) -> None:
    """0440 with our group: a sealing key that every user may read is refused by the workers."""
    for pod in pods_of(objects).values():
        for volume in pod["volumes"]:
            for source in (volume.get("projected"), volume.get("secret")):
                assert source is None or source["defaultMode"] == 0o440


def test_nobody_speaks_to_workers_and_only_we_to_valkey() -> None:
    """The password is the second line."""
    policies = {
        one["metadata"]["name"].rpartition("-")[2]: one["spec"]
        for one in of_kind(manifests(MINIMAL), "NetworkPolicy")
    }
    assert policies["worker"]["ingress"] == []
    assert policies["valkey"]["egress"] == []
    (rule,) = policies["valkey"]["ingress"]
    (peer,) = rule["from"]
    assert "namespaceSelector" not in peer
    assert peer["podSelector"]["matchExpressions"][0]["values"] == ["receiver", "worker", "test"]
