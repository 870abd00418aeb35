"""A person takes workloads back from the command line, and sees on one screen what the observer saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import CLI, Installation
from testbed.kube_shop import CLUSTER, KubeShop, kube_installation
from testbed.programs import Program
from testbed.redis import Redis
from testbed.wait import until


def run(kube: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    env = {**os.environ, "ROLLBACK_CONFIG": str(kube.settings_file)}
    argv = [sys.executable, "-c", CLI, *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def kube(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Installation:
    """Give an installation whose observer looks every second; nothing is started yet."""
    more = {"numbers": {"group_interval_s": 1, "observe_every_s": 1}}
    return kube_installation(tmp_path / "installed", redis_server.url, cluster.kubeconfig, more=more)


@pytest.fixture
def worker(kube: Installation) -> Iterator[Program]:
    """Run the server and one machine's workers."""
    with kube.serving(), kube.working() as program:
        yield program


@pytest.mark.usefixtures("worker")
def test_a_person_takes_a_canary_back_and_reads_how_it_went(kube: Installation, kube_shop: KubeShop) -> None:
    """By labels or by its short name; stable stays as it is, and every view names the workload as people do."""
    kube_shop.deploy("web", "v1", "stable")
    kube_shop.deploy("web-canary", "v1", "canary")
    stable = kube_shop.uids("web")
    kube_shop.release("Deployment", "web-canary", "v3")
    until(lambda: kube_shop.new_pods("web-canary", "v3"), within_s=30, what="the bad canary has a pod")
    where = ("-n", kube_shop.namespace)
    name = f"deployment web-canary in {kube_shop.namespace} (cluster {CLUSTER})"

    planned = run(kube, "rollback", "shop", "--only", "track=canary", *where, "--dry-run")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert f"{name}: v3+" in planned.stdout
    assert planned.stdout.count("way back: write the pod template of v3+") == 1
    assert kube_shop.tag("Deployment", "web-canary") == "v3"

    payload = kube.folder / "notification.json"
    payload.write_text(json.dumps(body(kube_shop.about_pod(kube_shop.new_pods("web-canary", "v3")[0]))))
    explained = run(kube, "rules", "explain", "--live", "--payload", str(payload))
    assert explained.returncode == 0, explained.stderr
    assert f"roll-back  allowed: rolls back {name} to v1+" in explained.stdout

    other = run(kube, "rollback", "pay", "--instance", "deployment/web-canary", *where)
    assert other.returncode == 1
    assert "belongs to service shop" in other.stderr

    done = run(
        kube, "rollback", "shop", "--instance", "deployment/web-canary", *where, "--reason", "errors", "--wait"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert kube_shop.tag("Deployment", "web-canary") == "v1"
    assert kube_shop.uids("web") == stable
    (record,) = json.loads(run(kube, "history", "--json").stdout)["rollbacks"]
    assert record["instance"] == kube_shop.instance("deployment", "web-canary")
    for words in (("history",), ("show", record["id"]), ("status",)):
        assert name in run(kube, *words).stdout


def test_the_observer_tells_of_tags_that_move_and_goes_at_once_when_asked(
    kube: Installation, kube_shop: KubeShop, worker: Program
) -> None:
    """It is a process of the worker machine, whose supervisor takes it down."""
    kube_shop.deploy("web", "latest", "stable", replicas=0)
    line = f"deployment web in {kube_shop.namespace} (cluster {CLUSTER}) runs"

    def named() -> bool:
        status = json.loads(run(kube, "status", "--json").stdout)
        return any(kube_shop.namespace in one["instance"] for c in status["clusters"] for one in c["moving"])

    until(named, within_s=60, what="the observer has seen the tag that moves", every_s=0.5)
    status = run(kube, "status").stdout
    assert f"cluster  {CLUSTER}: " in status
    assert line in status
    assert "observer" in worker.log()
    begun = time.monotonic()
    worker.process.terminate()
    assert worker.process.wait(timeout=30) == 0
    assert time.monotonic() - begun < 25, "it did not have to be killed"
    assert "supervisor.killed" not in worker.log()
