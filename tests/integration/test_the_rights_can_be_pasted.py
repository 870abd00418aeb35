"""What the page about rights gives to paste works as it stands: the objects, and the commands for a kubeconfig."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.cluster import Cluster
from testbed.debian_package import kubectl
from testbed.workloads import deployment

from controller.settings import ClusterSettings, Numbers
from rules.instances import WorkloadInstance, WorkloadKind
from workers.kubernetes import failures, paths
from workers.kubernetes.access import connect_cluster

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "kubernetes-rights.md").read_text()


@pytest.fixture
def page(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Return the page with a namespace of this test in place of its own, and of the shop's."""
    yield PAGE.replace("rollback-controller", namespace).replace("-n shop", f"-n {namespace}")
    cluster.kubectl("delete", "--ignore-not-found", "clusterrolebinding,clusterrole", namespace)


def _run(cluster: Cluster, folder: Path, script: str) -> str:
    path = f"{kubectl().parent}:{os.environ['PATH']}"
    own = {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path, "HOME": str(folder)}
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=folder, env=own, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_page_gives_leads_to_a_kubeconfig_that_does(cluster: Cluster, page: str, tmp_path: Path) -> None:
    """From nothing to a call of ours, with a token that lasts; and a stranger's Secrets stay closed."""
    (objects,) = re.findall(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)
    lasting, _, written, asked = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    cluster.kubectl("apply", "-f", "-", stdin=objects)
    assert _run(cluster, tmp_path, lasting + written + asked).endswith("yes\n")
    kubeconfig = tmp_path / "eu.kubeconfig"
    assert kubeconfig.stat().st_mode & 0o077 == 0
    name = re.findall(r"kind: Namespace\nmetadata: {name: (\S+)}", objects)[0]
    cluster.apply(deployment("web", cluster.image("v1"), replicas=0), name)
    ours = connect_cluster("eu", ClusterSettings(kubeconfig=kubeconfig), Numbers())
    try:
        web = paths.workload(WorkloadInstance("eu", name, WorkloadKind.DEPLOYMENT, "web"))
        assert ours.get(web)["metadata"]["name"] == "web"
        with pytest.raises(failures.Forbidden):
            ours.get(f"/api/v1/namespaces/{name}/secrets/{name}-token")
    finally:
        ours.close()
