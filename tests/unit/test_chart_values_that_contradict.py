"""Values that cannot be meant together are refused before anything is installed, with what to set."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.chart_files import CHART
from testbed.helm_engine import read_values, refusal

MINIMAL = read_values(CHART / "ci" / "minimal-values.yaml")
HOSTS = read_values(CHART / "ci" / "hosts-only-values.yaml")
REDIS = {"valkey": {"enabled": False}, "redis": {"url": "redis://redis:6379/0"}}
SENTINELS = ["a:26379"]
_GONE = object()


def _with(base: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {name: value for name, value in {**base, **said}.items() if value is not _GONE}


CASES = [
    ("no credentials", _with(MINIMAL, credentials=_GONE), "set credentials.existingSecret"),
    (
        "nobody is let in",
        _with(MINIMAL, credentials={"existingSecret": "x", "tokens": []}),
        "name at least Alertmanager's token in credentials.tokens",
    ),
    (
        "one name for two tokens",
        _with(
            MINIMAL,
            credentials={
                "existingSecret": "x",
                "tokens": [{"name": "a", "roles": ["alerts"], "key": key} for key in ("old", "new")],
            },
        ),
        "Two of credentials.tokens are called a: give one another name",
    ),
    ("no Redis at all", _with(MINIMAL, valkey=_GONE), "set redis.url (or redis.sentinels)"),
    ("two ledgers", _with(MINIMAL, redis=REDIS["redis"]), "keep either valkey.enabled=true or redis.url"),
    ("two Valkeys", _with(MINIMAL, valkey={"enabled": True, "replicas": 2}), "valkey.replicas is 2: set it to 1"),
    ("no Valkey", _with(MINIMAL, valkey={"enabled": True, "replicas": 0}), "valkey.replicas is 0: set it to 1"),
    (
        "replicas that are not there",
        _with(MINIMAL, redis={"waitForReplicas": 1}),
        "redis.waitForReplicas waits for replicas that the built-in Valkey has not got",
    ),
    (
        "a password in the address",
        _with(MINIMAL, **REDIS | {"redis": {"url": "redis://:hunter2@redis:6379/0"}}),
        "redis.url holds a login: take it out",
    ),
    (
        "TLS files for an address without TLS",
        _with(MINIMAL, **REDIS | {"redis": {"url": "redis://redis/0", "tls": {"existingSecret": "tls"}}}),
        "begin it with rediss://",
    ),
    (
        "half a certificate",
        _with(
            MINIMAL,
            **REDIS
            | {"redis": {"url": "rediss://redis/0", "tls": {"existingSecret": "tls", "certKey": "tls.crt"}}},
        ),
        "redis.tls.certKey and redis.tls.keyKey belong together",
    ),
    ("Sentinels of nobody", _with(MINIMAL, **REDIS | {"redis": {"sentinels": SENTINELS}}), "redis.master is not"),
    (
        "a primary that nobody knows",
        _with(MINIMAL, **REDIS | {"redis": {"url": "redis://redis/0", "master": "ledger"}}),
        "redis.sentinels are not: name those who know it",
    ),
    (
        "Sentinels and a server",
        _with(MINIMAL, **REDIS | {"redis": {"url": "redis://redis/0", "sentinels": SENTINELS, "master": "m"}}),
        "with Sentinels set redis.url to redis:///0",
    ),
    (
        "a key of no Secret",
        _with(MINIMAL, **REDIS | {"redis": {"sentinels": SENTINELS, "master": "m", "sentinelPasswordKey": "p"}}),
        "redis.sentinelPasswordKey is a key of redis.existingSecret",
    ),
    ("no namespace", _with(MINIMAL, targets={}), "set targets.namespaces to those that hold your workloads"),
    (
        "every namespace, and some",
        _with(MINIMAL, targets={"namespaces": ["shop"], "clusterWide": True}),
        "set targets.clusterWide=false, or leave the list empty",
    ),
    (
        "owners that live nowhere",
        _with(MINIMAL, targets={"namespaces": ["shop"], "gitops": {"pause": True}}),
        "set targets.gitops.namespaces",
    ),
    (
        "two clusters of one name",
        _with(MINIMAL, clusters={"default": {"existingSecret": "x"}}),
        "Two clusters are called default",
    ),
    ("nothing to roll back", _with(MINIMAL, targets={"inCluster": False}), "Nothing to roll back: set"),
    (
        "two inventories",
        _with(HOSTS, inventory={**HOSTS["inventory"], "existingConfigMap": "mine"}),
        "keep either inventory.content or inventory.existingConfigMap",
    ),
    ("hosts without a key", _with(HOSTS, ssh={"knownHosts": "x"}), "set ssh.existingSecret"),
    ("hosts that are not known", _with(HOSTS, ssh={"existingSecret": "x"}), "set ssh.knownHosts"),
    (
        "two lists of host keys",
        _with(HOSTS, ssh={**HOSTS["ssh"], "existingConfigMap": "mine"}),
        "keep either ssh.knownHosts or ssh.existingConfigMap",
    ),
    ("no rule", _with(MINIMAL, rules=_GONE), "set rules.files"),
    (
        "two sets of rules",
        _with(MINIMAL, rules={**MINIMAL["rules"], "existingConfigMap": "mine"}),
        "keep either rules.files or rules.existingConfigMap",
    ),
    (
        "a token of no Secret",
        _with(MINIMAL, prometheus={"url": "http://p", "tokenKey": "t"}),
        "set prometheus.existingSecret",
    ),
    (
        "half a login",
        _with(MINIMAL, alertmanager={"url": "http://a", "username": "us"}),
        "alertmanager.username and alertmanager.passwordKey belong together",
    ),
    (
        "a token and a login",
        _with(
            MINIMAL,
            prometheus={
                "url": "http://p",
                "existingSecret": "s",
                "tokenKey": "t",
                "username": "us",
                "passwordKey": "p",
            },
        ),
        "prometheus has both a token and a login",
    ),
    (
        "a budget said twice",
        _with(MINIMAL, worker={"pdb": {"minAvailable": 1}}),
        "worker.pdb has both minAvailable and maxUnavailable",
    ),
    (
        "a budget of nothing",
        _with(MINIMAL, receiver={"pdb": {"maxUnavailable": ""}}),
        "receiver.pdb has neither minAvailable nor maxUnavailable",
    ),
    (
        "two autoscalers",
        _with(
            MINIMAL,
            prometheus={"url": "http://p"},
            worker={"autoscaling": {"hpa": {"enabled": True}, "keda": {"enabled": True}}},
        ),
        "Two autoscalers",
    ),
    (
        "more at least than at most",
        _with(MINIMAL, worker={"autoscaling": {"hpa": {"enabled": True, "minReplicas": 9}}}),
        "worker.autoscaling.hpa has more minReplicas than maxReplicas: set minReplicas to 6 or less",
    ),
    (
        "KEDA that asks nobody",
        _with(MINIMAL, worker={"autoscaling": {"keda": {"enabled": True}}}),
        "set prometheus.url",
    ),
    (
        "killed before they give up",
        _with(MINIMAL, numbers={"termination-grace-s": 100}),
        "set worker.terminationGracePeriodSeconds to more than numbers.termination-grace-s, to 110 or so",
    ),
    (
        "a tag in the repository",
        _with(MINIMAL, image={"repository": "registry.example.com:5000/rollback-controller:1"}),
        "set image.tag or image.digest to it",
    ),
    (
        "an autoscaler that has nothing to go by",
        _with(
            MINIMAL,
            worker={"autoscaling": {"hpa": {"enabled": True}}, "resources": {"requests": {"cpu": None}}},
        ),
        "set worker.resources.requests.cpu",
    ),
    (
        "rights for everybody in the namespace",
        _with(MINIMAL, worker={"serviceAccount": {"create": False}}),
        "set worker.serviceAccount.name to one that is there",
    ),
    (
        "rights for the receiver",
        _with(MINIMAL, **{role: {"serviceAccount": {"name": "ours"}} for role in ("receiver", "worker")}),
        "give receiver.serviceAccount.name and worker.serviceAccount.name different names",
    ),
    (
        "a Redis behind a wall",
        _with(MINIMAL, **REDIS, networkPolicy={"egress": {"enabled": True}}),
        "set networkPolicy.egress.redis",
    ),
    (
        "hosts behind a wall",
        _with(HOSTS, networkPolicy={"egress": {"enabled": True}}),
        "set networkPolicy.egress.workers",
    ),
    (
        "scraped twice",
        _with(MINIMAL, metrics={"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}),
        "keep either metrics.serviceMonitor.enabled or metrics.podMonitor.enabled",
    ),
    ("an Ingress for no host", _with(MINIMAL, ingress={"enabled": True}), "set ingress.hosts"),
    ("a route of no Gateway", _with(MINIMAL, httpRoute={"enabled": True}), "set httpRoute.parentRefs"),
]


@pytest.mark.parametrize(("values", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_contradiction_is_told_with_what_to_set(values: dict[str, Any], sentence: str) -> None:
    """One sentence, of this contradiction and no other."""
    said = refusal(values)
    assert sentence in said
    assert said.count("\n  - ") == 1


def test_all_contradictions_are_told_at_once() -> None:
    """Nobody installs five times to hear five of them."""
    assert refusal({}).count("\n  - ") == 4


@pytest.mark.parametrize("shape", [MINIMAL, HOSTS, _with(MINIMAL, **REDIS)])
def test_what_contradicts_nothing_is_taken(shape: dict[str, Any]) -> None:
    """The cases above differ from these in one thing each."""
    assert refusal(shape) == ""
