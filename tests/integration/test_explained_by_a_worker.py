"""`rules explain --live` for workloads: rules in force, a real cluster, what bars the way, and tags that move."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.cluster import Cluster
from testbed.redis import Redis
from testbed.unguarded import UNGUARDED_YAML
from testbed.workloads import NAME, deployment

from controller.settings import Settings
from controller.settings.clusters import ClusterSettings
from controller.settings.house import House
from controller.settings.settings import Redis as RedisSettings
from workers.explaining import explain
from workers.planning import answer
from workers.processes import build_site
from workers.site import Site

RULES = f"""
version: rules/v1
rules:
  - name: canaries
    mode: observe
    when: {{matchers: ['alertname="HighErrorRate"']}}
    target: {{kubernetes: {{}}, only: {{track: canary}}}}
    to: [previous]
    guards: {UNGUARDED_YAML}
  - name: moving
    mode: act
    when: {{matchers: ['alertname="HighErrorRate"']}}
    target: {{kubernetes: {{}}, only: {{track: moving}}}}
    to: [previous]
    guards: {UNGUARDED_YAML}
"""
INVENTORY = """
version: inventory/v1
connection: local
services: {}
"""


@pytest.fixture
def site(tmp_path: Path, redis_server: Redis, cluster: Cluster, namespace: str) -> Iterator[Site]:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    settings = Settings(
        rules=(tmp_path / "rules.yaml",),
        inventory=tmp_path / "inventory.yaml",
        redis=RedisSettings(url=redis_server.url),
        clusters={"eu": ClusterSettings(kubeconfig=cluster.kubeconfig, namespaces=(namespace,))},
    )
    built = build_site(settings, House.load(settings))
    yield built
    built.ledger.close()


def manifest(cluster: Cluster, name: str, track: str, tag: str, **more: Any) -> dict[str, Any]:
    labels = {NAME: "web", "track": track}
    return deployment(name, f"{cluster.images}:{tag}", replicas=0, pod_labels=labels, **more)


def ask(site: Site, namespace: str, name: str, **labels: str) -> dict[str, dict[str, Any]]:
    """Explain one alert about a Deployment; return its decisions by rule."""
    labels = {"alertname": "HighErrorRate", "namespace": namespace, "deployment": name, **labels}
    alert = {"fingerprint": "a1", "status": "firing", "labels": labels, "annotations": {}, "starts_at_ms": 1}
    (entry,) = explain(site, [alert])["alerts"]
    assert entry["labels"] == labels
    return {decision["rule"]: decision for decision in entry["decisions"]}


def test_workloads_are_found_and_their_releases_named(site: Site, cluster: Cluster, namespace: str) -> None:
    """With what is live; each rule by its digest."""
    for tag in ("v1", "v2"):
        cluster.roll(manifest(cluster, "web-canary", "canary", tag), namespace)
    decisions = ask(site, namespace, "web-canary")
    ident = f"kubernetes/eu/{namespace}/deployment/web-canary"
    found = decisions["canaries"]
    assert (found["outcome"], found["reason"]) == ("observe", "observe-mode")
    assert found["instances"][ident].startswith("v1+")
    assert found["rule_digest"] == site.house.rules.rules[0].digest
    assert (decisions["moving"]["outcome"], decisions["moving"]["reason"]) == ("no-match", "not-selected")


def test_a_tag_that_moves_is_named(site: Site, cluster: Cluster, namespace: str) -> None:
    """What runs cannot be told from its name."""
    for tag in ("v1", "latest"):
        cluster.roll(manifest(cluster, "web", "moving", tag), namespace)
    found = ask(site, namespace, "web")["moving"]
    assert (found["outcome"], found["reason"]) == ("roll-back", "allowed")
    assert f"it runs {cluster.images}:latest: a tag that moves" in found["detail"]


def test_what_bars_the_way_is_the_answer(site: Site, cluster: Cluster, namespace: str) -> None:
    """A workload without a history, one that something else keeps, one that is not there."""
    cluster.roll(manifest(cluster, "web", "moving", "v1"), namespace)
    first = ask(site, namespace, "web")["moving"]
    assert (first["outcome"], first["reason"]) == ("hold", "first-release")
    flux = {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    for tag in ("v1", "v2"):
        cluster.roll(manifest(cluster, "kept", "moving", tag, labels=flux), namespace)
    kept = ask(site, namespace, "kept")["moving"]
    assert (kept["outcome"], kept["reason"]) == ("refuse", "gitops-owned")
    assert list(kept["instances"].values()) == [None]
    missing = ask(site, namespace, "nothing")["moving"]
    assert missing["reason"] == "workload-unknown"


def test_a_dry_run_lists_candidates_with_what_to_know_of_them(
    site: Site, cluster: Cluster, namespace: str
) -> None:
    """Also where it would be refused."""
    for tag in ("v1", "latest"):
        cluster.roll(manifest(cluster, "web", "moving", tag), namespace)
    ident = f"kubernetes/eu/{namespace}/deployment/web"

    def plan(*to: object) -> dict[str, Any]:
        asked = site.ledger.asking.ask({"instances": [ident], "spec": {"to": list(to)}})
        answer(site, asked)
        (told,) = (site.ledger.asking.wait(asked, 1) or {})["plans"]
        return dict(told)

    good = plan("previous")
    assert good["plan"]["to_release"].startswith("v1+")
    assert good["notes"] == [f"it runs {cluster.images}:latest: a tag that moves"]
    refused = plan({"version": "v9"})
    assert (refused["plan"], refused["refusal"]["reason"]) == (None, "no-candidate")
    assert [candidate["reason"] for candidate in refused["candidates"]] == ["release-missing"]
