"""Bringing up a cluster of the testbed's own, and taking every trace of it away.

`PYTHONPATH=tests python -m testbed.own_cluster up` keeps one running until it is ended (SIGTERM, ^C).
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbed import images
from testbed.cluster import Cluster
from testbed.control_plane import ControlPlane
from testbed.debian_package import kubectl
from testbed.kube_api import KubeApi
from testbed.kubernetes_build import PART, built_kubernetes
from testbed.node import NAME, Node
from testbed.registry import Registry, registry
from testbed.slots import take_slot
from testbed.wait import until

REPOSITORY = "shop/app"
PAUSE = "testbed/pause:1"


@contextlib.contextmanager
def own_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster of one node whose files are in `folder`; on the way out nothing of it stays but these."""
    built_kubernetes()
    with take_slot(PART) as slot, registry(folder / "registry") as store, contextlib.ExitStack() as running:
        slot.folder.mkdir(parents=True)
        control = ControlPlane(slot, folder)
        node = Node(slot, folder, control, pause=f"{store.address}/{PAUSE}")
        running.callback(control.stop)
        running.callback(node.stop)
        with ThreadPoolExecutor(max_workers=1) as beside:
            filled = beside.submit(_fill, store, folder / "images")
            control.write_files()
            node.start()
            control.start()
            filled.result()
        api = KubeApi.from_kubeconfig(control.kubeconfig)
        cluster = Cluster(control.kubeconfig, folder, api, f"{store.address}/{REPOSITORY}", store, control)
        until(lambda: _usable(cluster), within_s=60, what="the node is ready")
        yield cluster


def _fill(store: Registry, folder: Path) -> None:
    archives = {f"{REPOSITORY}:{tag}": archive for tag, archive in images.write_all(folder).items()}
    archives[PAUSE] = images.write_archive(folder / "pause.tar", "pause", "pause", name=PAUSE)
    store.push_all(archives)


def _usable(cluster: Cluster) -> bool:
    """Whether a pod can be placed: the node says that it is ready, and nothing keeps pods off it."""
    node = cluster.get("Node", None, NAME)
    ready = any(seen["type"] == "Ready" and seen["status"] == "True" for seen in node["status"]["conditions"])
    return ready and not node["spec"].get("taints")


def main() -> None:
    """Keep a cluster running, for the hand and for other programs on this machine."""
    parser = argparse.ArgumentParser(prog="testbed.own_cluster", description=__doc__)
    parser.add_argument("command", choices=["up"])
    parser.add_argument("--folder", type=Path, help="where kubeconfig and logs go; a temporary folder otherwise")
    asked = parser.parse_args()
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollback-cluster-")))
        folder.mkdir(parents=True, exist_ok=True)
        cluster = stack.enter_context(own_cluster(folder.resolve()))
        print(f"export KUBECONFIG={cluster.kubeconfig}")
        print(f"kubectl: {kubectl()}")
        print(f"registry: {cluster.registry.address} (plain HTTP)")
        print("images:", *(cluster.image(tag) for tag in images.VARIANTS))
        print("running; end it with SIGTERM", flush=True)
        ended.wait()
    sys.stderr.write("ended\n")


if __name__ == "__main__":
    main()
