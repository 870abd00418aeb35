"""How long it takes from an alert to an accepted patch, beside webhook running `kubectl rollout undo`.

Both get the same POST about the same Deployment, in turns: each releases a bad image, waits for its pod, posts,
and waits until the Deployment is whole again. A watch tells when the patch was accepted: both pay for it alike.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import socket
import statistics
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from testbed.cluster import Cluster
from testbed.debian_package import kubectl
from testbed.installation import Installation
from testbed.kube_api import path_of
from testbed.kube_shop import KubeShop, kube_installation, kube_rules
from testbed.own_cluster import own_cluster
from testbed.parts import program
from testbed.programs import accepts, free_port, started
from testbed.redis import valkey
from testbed.wait import until

from bench.bodies import AS_INSTALLED, alert, just_now, notification

TURNS = 25
_WARM_UP = 2
_GIVE_UP_S = 20
_NAME = "web-canary"
_VERIFY = {"healthy-within": "60s", "steady": "0s", "cleared-within": "1ms"}


@dataclass(frozen=True, slots=True)
class Undoing:
    """The times of one way to undo, in ms, sorted: from the POST to the accepted patch."""

    who: str
    changed: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return the time that so large a share kept to."""
        return self.changed[min(int(len(self.changed) * share), len(self.changed) - 1)]


def undoing(folder: Path, turns: int = TURNS) -> list[Undoing]:
    """Measure `turns` of ours and as many of webhook's, alternating."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(own_cluster(folder / "cluster"))
        shop = KubeShop(cluster, cluster.make_namespace())
        shop.deploy(_NAME, "v1", "canary", replicas=1)
        made = stack.enter_context(_installed(folder, cluster))
        theirs = stack.enter_context(_webhook(folder, cluster, shop))
        changes = stack.enter_context(_watched(cluster, shop))
        times: dict[str, list[float]] = {"ours": [], "webhook": []}
        for turn in range(turns + _WARM_UP):
            for who, post in (("ours", partial(_alert, made, shop)), ("webhook", theirs)):
                took = _turn(shop, changes, post)
                until(lambda: _idle(made), within_s=60, what="the rollback is over")
                if turn >= _WARM_UP:
                    times[who].append(took)
    found = [Undoing(who, tuple(sorted(one))) for who, one in times.items()]
    for one in found:
        print(
            f"  {one.who:9} POST to accepted patch, {len(one.changed)} turns: p50 {one.quantile(0.5):.1f} ms, "
            f"p95 {one.quantile(0.95):.1f} ms",
            flush=True,
        )
    ratio = statistics.median(found[0].changed) / statistics.median(found[1].changed)
    print(f"  ratio of the medians: {ratio:.2f}", flush=True)
    return found


def _turn(shop: KubeShop, changes: queue.Queue[tuple[float, str]], post: Callable[[str], float]) -> float:
    shop.release("Deployment", _NAME, "v3")
    pod = until(lambda: shop.new_pods(_NAME, "v3"), within_s=30, what="the bad release has a pod")[0]
    time.sleep(1)  # both begin with a quiet control plane
    _emptied(changes)
    sent_at = post(pod)
    deadline = sent_at + _GIVE_UP_S
    while True:
        at, image = changes.get(timeout=max(deadline - time.perf_counter(), 0.01))
        if image.endswith(":v1"):
            break
    shop.cluster.wait_rolled_out("Deployment", shop.namespace, _NAME)
    until(lambda: len(shop.pods(_NAME)) == 1, within_s=30, what="the bad pod is gone")
    return (at - sent_at) * 1000


def _emptied(changes: queue.Queue[tuple[float, str]]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            changes.get_nowait()


@contextlib.contextmanager
def _installed(folder: Path, cluster: Cluster) -> Iterator[Installation]:
    (folder / "redis").mkdir()
    with valkey(folder / "redis", appendfsync="everysec") as server:
        made = kube_installation(
            folder / "installation",
            server.url,
            cluster.kubeconfig,
            rules=kube_rules(verify=_VERIFY),
            more=AS_INSTALLED,
        )
        with made.running(), server.client() as client:
            until(lambda: client.scard("rq:workers") == 2, within_s=20, what="both workers wait for work")
            yield made


def _alert(made: Installation, shop: KubeShop, pod: str) -> float:
    token = made.token_file("alertmanager").read_text().strip()
    return _post(made.port, "/api/v1/alertmanager", _body(shop, pod), token)


def _idle(made: Installation) -> bool:
    return all(rollback["state"] in {"ended", "held"} for rollback in made.rollbacks())


@contextlib.contextmanager
def _webhook(folder: Path, cluster: Cluster, shop: KubeShop) -> Iterator[Callable[[str], float]]:
    undo = ["rollout", "undo", f"deployment/{_NAME}", "-n", shop.namespace]
    words = [f"--kubeconfig={cluster.kubeconfig}", *undo]
    hook = {
        "id": "undo",
        "execute-command": str(kubectl()),
        "pass-arguments-to-command": [{"source": "string", "name": word} for word in words],
    }
    hooks, port = folder / "hooks.json", free_port()
    hooks.write_text(json.dumps([hook]))
    argv = [program("webhook"), "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)]
    with started("webhook", argv, folder) as peer:
        until(lambda: peer.running() and accepts(port), within_s=10, what="webhook listens")
        yield lambda pod: _post(port, "/hooks/undo", _body(shop, pod), "none")


def _body(shop: KubeShop, pod: str) -> bytes:
    labels = {"alertname": "HighErrorRate", "namespace": shop.namespace, "pod": pod, "instance": pod}
    return notification([alert(labels, f"{time.time_ns():x}", just_now())]).encode()


def _post(port: int, path: str, body: bytes, token: str) -> float:
    """Send one POST on a connection that is open already, and return when its first byte was sent."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(0.01)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sent_at = time.perf_counter()
        connection.sendall(head.encode() + body)
        answer = connection.recv(65536)
        assert answer.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")), answer
        return sent_at


@contextlib.contextmanager
def _watched(cluster: Cluster, shop: KubeShop) -> Iterator[queue.Queue[tuple[float, str]]]:
    """Watch the Deployment, and give the image that it asks for with the time at which each change was seen."""
    found: queue.Queue[tuple[float, str]] = queue.Queue()
    server = urllib.parse.urlsplit(cluster.api.server)
    connection = http.client.HTTPSConnection(server.netloc, context=cluster.api.trust)
    query = urllib.parse.urlencode({"watch": "true", "fieldSelector": f"metadata.name={_NAME}"})
    headers = {"Authorization": f"Bearer {cluster.api.token}"}
    connection.request("GET", f"{path_of('Deployment', shop.namespace)}?{query}", headers=headers)
    answer = connection.getresponse()

    def read() -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while line := answer.readline():
                at = time.perf_counter()
                template = json.loads(line)["object"]["spec"]["template"]
                found.put((at, template["spec"]["containers"][0]["image"]))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        connection.close()
