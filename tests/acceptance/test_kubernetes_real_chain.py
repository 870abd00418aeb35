"""An alert from a real Prometheus and Alertmanager takes one canary back in a real cluster, and only that."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed import images
from testbed.alertmanager import Alertmanager, alertmanager, receiver_config
from testbed.installation import Installation
from testbed.kube_shop import KubeShop
from testbed.prometheus import prometheus
from testbed.wait import until

RULES = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: HighErrorRate
        expr: shop_failing > 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.pod }} fails"}
"""


@contextlib.contextmanager
def discovering(shop: KubeShop, file: Path) -> Iterator[dict[str, Any]]:
    """Keep a file of the namespace's pods, labelled as the Prometheus operator does, and give the scrape of it.

    Debian's Prometheus is built without the discovery of Kubernetes.
    """
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.3):
            pods = [pod for pod in shop.cluster.pods(shop.namespace) if pod["status"].get("podIP")]
            beside = file.with_suffix(".new")
            beside.write_text(json.dumps([target(pod) for pod in pods]))
            beside.rename(file)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield {"job_name": "pods", "file_sd_configs": [{"files": [str(file)], "refresh_interval": "1s"}]}
    finally:
        over.set()
        thread.join()


def target(pod: dict[str, Any]) -> dict[str, Any]:
    """Return one pod as a target."""
    metadata = pod["metadata"]
    labels = {"namespace": metadata["namespace"], "pod": metadata["name"], "container": "app"}
    return {"targets": [f"{pod['status']['podIP']}:{images.PORT}"], "labels": labels}


@contextlib.contextmanager
def monitored(folder: Path, shop: KubeShop, installed: Installation) -> Iterator[Alertmanager]:
    """Discover and scrape the pods, and send what fires to the receiver."""
    config = receiver_config(installed.receiver, installed.token_file("alertmanager"), group_by=("namespace",))
    with (
        alertmanager(folder / "alertmanager", config) as am,
        discovering(shop, folder / "pods.json") as pods,
        prometheus(folder / "prometheus", {}, am.port, jobs=[pods], rules=RULES),
    ):
        yield am


def test_the_full_chain_with_real_prometheus_and_alertmanager(
    tmp_path: Path, kube: Installation, kube_shop: KubeShop
) -> None:
    """Discovered, scraped, alerted, notified, taken back, resolved: recovered. The stable pods are not touched."""
    with kube.running(), monitored(tmp_path, kube_shop, kube) as am:
        kube_shop.deploy("web", "v1", "stable")
        kube_shop.deploy("web-canary", "v1", "canary", replicas=1)
        stable = kube_shop.uids("web")
        kube_shop.release("Deployment", "web-canary", "v3")
        until(am.alerts, within_s=60, what="the bad canary's alert fires")
        until(lambda: kube_shop.tag("Deployment", "web-canary") == "v1", within_s=30, what="it goes back")
        until(lambda: not am.alerts(), within_s=60, what="the alert resolves")
        (rollback,) = kube.ended(within_s=120)
    assert (rollback["outcome"], rollback["reason"]) == ("recovered", "cleared")
    assert rollback["instance"] == kube_shop.instance("deployment", "web-canary")
    assert kube_shop.uids("web") == stable
