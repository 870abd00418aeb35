"""The chart as most people meet it: Helm's engine installs it into a real cluster, and it does its job there.

A real Alertmanager posts to the Service, a canary goes back, an upgrade loses no alert, and nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alertmanager, receiver_config
from testbed.cluster import Cluster
from testbed.helm_install import CLAIM, Helm, Steady
from testbed.kube_shop import KubeShop
from testbed.services import services
from testbed.wait import until


@pytest.fixture
def helm(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Helm]:
    """Give a namespace for the release, beside that of the shop; nothing is installed yet."""
    own = cluster.make_namespace()
    made = Helm(cluster, own, [namespace])
    with services(cluster, tmp_path):
        made.prepare()
        yield made
    cluster.delete("Namespace", None, own)
    made.forget()


@pytest.mark.timeout(600)
def test_installed_it_does_its_job_and_leaves_nothing(
    helm: Helm, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """From `helm install` by way of an alert, an upgrade and a `helm rollback` to `helm uninstall`."""
    shop = KubeShop(cluster, namespace)
    shop.deploy("web", "v1", "stable")
    shop.deploy("web-canary", "v1", "canary")
    shop.deploy("web-canary", "v2", "canary")

    helm.install(helm.values())
    helm.test()
    assert "rb-rollback-controller-test" not in helm.left().get("Pod", []), "it succeeded, and is gone"
    assert f"we may do what we are for in {namespace}" in helm.command("doctor")

    token = tmp_path / "alertmanager.token"
    token.write_text(helm.tokens["alertmanager"])
    told = receiver_config(f"{helm.url}/api/v1/alertmanager", token)
    with alertmanager(tmp_path / "alertmanager", told) as real:
        real.post(shop.about_pod(shop.pod_names("web-canary")[0])["labels"], since_s=5)
        until(
            lambda: shop.tag("Deployment", "web-canary") == "v1",
            within_s=60,
            what=f"the canary is back: {helm.ask('/api/v1/rollbacks')}",
        )
    assert shop.tag("Deployment", "web") == "v1", "who was not concerned is not touched"
    assert "web-canary" in helm.command("history"), "with the operator's token, which it finds by itself"

    with Steady(helm) as steady:
        until(lambda: len(steady.taken) > 10, within_s=30, what="alerts are taken")
        helm.upgrade(helm.values(commonLabels={"team": "platform"}, log={"level": "debug", "format": "json"}))
        until(lambda: len(steady.taken) > 30, within_s=30, what="alerts are taken after it, too")
    print(f"{len(steady.taken)} alerts taken, {len(steady.refused)} sent again")
    missing = [one for one in steady.taken if not _decided(helm, one)]
    assert not missing, f"{len(missing)} of {len(steady.taken)} were lost"

    helm.roll_back()
    assert [state for _, state in helm.revisions()] == ["superseded", "superseded", "deployed"]
    helm.uninstall()
    until(lambda: _only_the_ledger_is(helm.left()), within_s=150, what="nothing else is left", every_s=0.5)


def _only_the_ledger_is(left: dict[str, list[str]]) -> bool:
    assert left == THE_LEDGER
    return True


THE_LEDGER = {"PersistentVolumeClaim": [CLAIM]}
"""Kubernetes keeps what a StatefulSet stored; who wants it gone deletes the claim."""


def _decided(helm: Helm, fingerprint: str) -> bool:
    """Whether something was decided about an alert, or will be: the workers may be behind."""
    path = f"/api/v1/decisions?fingerprint={fingerprint}"
    return bool(until(lambda: helm.ask(path)[1]["decisions"], within_s=30, what=f"{fingerprint} is decided"))
