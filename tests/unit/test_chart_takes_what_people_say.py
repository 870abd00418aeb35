"""Names of digits, labels said twice, values that are null: what the chart makes of it is still what was meant."""

from __future__ import annotations

import re
from typing import Any

import pytest
from testbed.chart_shapes import MINIMAL, of_kind, pods_of, the_one
from testbed.helm_engine import Manifest, check, manifests, refusal, render

FOREIGN = {"ServiceMonitor", "PrometheusRule"}
MONITORED = {
    "metrics": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "mine"}},
        "prometheusRule": {"enabled": True},
    }
}


def _made(**said: Any) -> list[Manifest]:
    return manifests({**MINIMAL, **said})


def test_labels_that_are_said_twice_are_there_once() -> None:
    """YAML with a key twice is refused by some of those who apply it. The nearer one wins, and ours always."""
    objects = _made(
        commonLabels={"team": "a", "release": "theirs", "app.kubernetes.io/component": "other"},
        receiver={"podLabels": {"team": "b", "app.kubernetes.io/name": "other"}},
        **MONITORED,
    )
    pod = the_one(objects, "Deployment", "-receiver")["spec"]["template"]["metadata"]["labels"]
    assert (pod["team"], pod["app.kubernetes.io/name"]) == ("b", "rollback-controller")
    assert pod["app.kubernetes.io/component"] == "receiver"
    (monitor,) = of_kind(objects, "ServiceMonitor")
    assert (monitor["metadata"]["labels"]["release"], monitor["metadata"]["labels"]["team"]) == ("mine", "a")


@pytest.mark.parametrize(("name", "namespace"), [("7", "1234"), ("true", "0x1f"), ("on", "1e3")])
def test_names_that_yaml_takes_for_something_else_stay_names(name: str, namespace: str) -> None:
    """Releases, namespaces and Secrets may be called 7; as a number Kubernetes takes them nowhere."""
    said = {"targets": {"namespaces": [namespace]}, "credentials": {"existingSecret": "77"}, **MONITORED}
    said["notify"] = {"123": {"existingSecret": "88"}}
    for one in manifests({**MINIMAL, **said}, name=name, namespace=namespace):
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == name
        assert one["metadata"]["namespace"] == namespace
        if one["kind"] in FOREIGN:
            assert all(isinstance(value, str) for value in labels.values())
        else:
            check(one, "1.31")


def test_it_may_be_a_part_of_another_chart() -> None:
    """Which has `condition: rollback-controller.enabled`, and a `global` that all its parts see."""
    assert _made(enabled=True, **{"global": {"imageRegistry": "registry.example.com"}}) == _made()


def test_one_key_may_be_two_passwords() -> None:
    """Redis and its Sentinels often share theirs."""
    redis = {"sentinels": ["a:26379"], "master": "m", "existingSecret": "redis", "sentinelPasswordKey": "pw"}
    objects = _made(valkey={"enabled": False}, redis={**redis, "passwordKey": "pw"})
    for role in ("receiver", "worker"):
        volumes = {one["name"]: one for one in pods_of(objects)[role]["volumes"]}
        items = volumes["secrets"]["projected"]["sources"][0]["secret"]["items"]
        assert {one["path"]: one["key"] for one in items} == {
            "redis/password": "pw",
            "redis/sentinel-password": "pw",
        }


def test_the_notes_ask_for_each_key_of_the_secret_once() -> None:
    """`kubectl create secret` refuses a key twice; and a key of another Secret is none of this one."""
    tokens = [
        {"name": "a", "roles": ["alerts"], "key": "shared"},
        {"name": "b", "roles": ["read"], "key": "shared", "existingSecret": "rollback-controller"},
        {"name": "c", "roles": ["read"], "key": "elsewhere", "existingSecret": "other"},
    ]
    said = {**MINIMAL, "credentials": {"existingSecret": "rollback-controller", "tokens": tokens}}
    notes = render(said)["NOTES.txt"]
    assert re.findall(r"--from-literal=(\S+)=", notes) == ["shared", "redis-password", "audit.key"]


@pytest.mark.parametrize("name", ["with.dots", "7th", "-"])
def test_a_name_that_no_service_may_have_is_refused(name: str) -> None:
    """Or Helm makes half of the objects before Kubernetes says so."""
    assert "/fullnameOverride" in refusal({**MINIMAL, "fullnameOverride": name})


def test_objects_are_taken_as_they_are_and_text_is_a_template() -> None:
    """An alert's own template is none of Helm's."""
    kept = {"kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "{{ $labels.instance }}"}}
    text = "kind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-more'}\n"
    objects = _made(extraObjects=[kept, text])
    assert the_one(objects, "ConfigMap", "kept")["data"] == kept["data"]
    assert the_one(objects, "ConfigMap", "-more")["metadata"]["name"] == "rb-more"


@pytest.mark.parametrize(
    ("key", "said", "modes"), [("tokenKey", "", "bearer"), ("passwordKey", "", "basic"), ("caKey", "tls", "tls")]
)
def test_keda_is_told_how_to_log_in(key: str, said: str, modes: str) -> None:
    """It takes no notice of a TriggerAuthentication without."""
    prometheus = {"url": "https://p", "existingSecret": "monitoring", key: "key"}
    if key == "passwordKey":
        prometheus["username"] = "us"
    keda = {"enabled": True, "authenticationRef": "login", "authModes": said}
    (scaled,) = of_kind(_made(prometheus=prometheus, worker={"autoscaling": {"keda": keda}}), "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["authenticationRef"] == {"name": "login"}
    assert trigger["metadata"]["authModes"] == modes


def test_a_probe_that_is_null_is_none() -> None:
    (container,) = pods_of(_made(worker={"startupProbe": None}))["worker"]["containers"]
    assert "startupProbe" not in container
    assert "livenessProbe" in container


def test_recreate_is_said_without_what_rolls() -> None:
    """Kubernetes refuses both together, and the bounds are there by default."""
    one = the_one(_made(worker={"strategy": {"type": "Recreate"}}), "Deployment", "-worker")
    assert one["spec"]["strategy"] == {"type": "Recreate"}


def test_a_pod_that_is_not_ready_may_always_be_evicted() -> None:
    """While Redis is away no receiver is ready: the budget would keep every node from being drained."""
    for version, policy in (("v1.26.0", None), ("v1.27.0", "AlwaysAllow"), ("v1.34.0", "AlwaysAllow")):
        for one in of_kind(manifests(MINIMAL, kubernetes=version), "PodDisruptionBudget"):
            assert one["spec"].get("unhealthyPodEvictionPolicy") == policy


def test_valkey_is_found_at_one_address_and_mended_by_going_back() -> None:
    """The pod's address would live on in DNS caches, and in order a pod that cannot start stays for ever."""
    objects = _made()
    assert "clusterIP" not in the_one(objects, "Service", "-valkey")["spec"]
    assert the_one(objects, "StatefulSet", "-valkey")["spec"]["podManagementPolicy"] == "Parallel"


def test_where_everything_out_is_closed_the_test_still_gets_out() -> None:
    """A namespace that denies by default lets only out what a policy names: `helm test` has one as well."""
    policies = of_kind(_made(networkPolicy={"egress": {"enabled": True}}), "NetworkPolicy")
    (policy,) = (one for one in policies if one["metadata"]["name"].endswith("-test"))
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 5353, 6379, 8095}
    assert not [one for one in of_kind(_made(), "NetworkPolicy") if one["metadata"]["name"].endswith("-test")]


def test_two_releases_in_one_namespace_can_be_told_apart() -> None:
    """By whatever their scrape says of them: by default the namespace does."""
    metrics = {"matchers": 'job="rb"', "prometheusRule": {"enabled": True}}
    keda = {"autoscaling": {"keda": {"enabled": True}}}
    objects = _made(metrics=metrics, prometheus={"url": "http://p"}, worker=keda)
    (rule,) = of_kind(objects, "PrometheusRule")
    for alert in rule["spec"]["groups"][0]["rules"]:
        assert '{namespace="rollback", job="rb"' in alert["expr"]
    (scaled,) = of_kind(objects, "ScaledObject")
    assert '{namespace="rollback", job="rb"}' in scaled["spec"]["triggers"][0]["metadata"]["query"]
    assert "/metrics/matchers" in refusal({**MINIMAL, "metrics": {"matchers": "job=rb"}})


def test_the_test_runs_where_the_receiver_may() -> None:
    """On nodes that take nobody else it would wait until its time is over."""
    tolerations = [{"key": "dedicated", "operator": "Exists"}]
    (pod,) = of_kind(_made(receiver={"tolerations": tolerations, "nodeSelector": {"pool": "ops"}}), "Pod")
    assert (pod["spec"]["tolerations"], pod["spec"]["nodeSelector"]) == (tolerations, {"pool": "ops"})
