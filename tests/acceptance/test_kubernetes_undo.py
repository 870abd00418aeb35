"""`on-ineffective: undo` on workloads: what did not help is taken back, once, and never over somebody's work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import body
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import SERVICE, KubeShop, gone_back, kube_installation, kube_rules, resolved
from testbed.paused import SHORT, Paused, stops_at
from testbed.prometheus import prometheus
from testbed.redis import Redis
from testbed.wait import stays, until
from testbed.workloads import NAME, statefulset

UNDO = {"healthy-within": "60s", "steady": "0s", "cleared-within": "2s", "on-ineffective": "undo"}
HEARD_OFTEN = {"heard_write_every_s": 0.1, "observe_every_s": 1}
CANARY = ("Deployment", "web-canary")


def released(shop: KubeShop, *, replicas: int = 1) -> None:
    """Release v2 over v1: both are well by their probes, so going back helps nothing."""
    shop.deploy("web-canary", "v1", "canary", replicas=replicas)
    shop.release(*CANARY, "v2")
    shop.cluster.wait_rolled_out("Deployment", shop.namespace, "web-canary")


def generation(shop: KubeShop) -> int:
    """Return how often somebody wrote the spec."""
    return int(shop.cluster.get("Deployment", shop.namespace, "web-canary")["metadata"]["generation"])


def ends(
    kube: Installation, *firing: dict[str, Any], within_s: float = 40, state: str = "ended"
) -> dict[str, Any]:
    """Have alerts fire again and again until the one rollback is over, and return it."""

    def over() -> dict[str, Any]:
        if firing:
            kube.notify(body(*firing))
        (found,) = kube.rollbacks()
        assert found["state"] == state, (found["state"], found["reason"], found["detail"])
        return found

    return until(over, within_s=within_s, what=f"the rollback is {state}", every_s=0.2)


def undoing(folder: Path, redis: Redis, cluster: Cluster, **more: Any) -> Installation:
    """Return an installation whose rule takes back what did not help; nothing is started yet."""
    numbers = {"numbers": {**SHORT, **HEARD_OFTEN}}
    how = {"rules": kube_rules(verify=UNDO), **more, "more": {**numbers, **more.get("more", {})}}
    return kube_installation(folder / "installed", redis.url, cluster.kubeconfig, **how)


@pytest.fixture
def undoes(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Installation:
    """Give one that is soon through with it."""
    return undoing(tmp_path, redis_server, cluster)


def test_what_did_not_help_is_brought_back_once_and_the_count_that_somebody_set_stays(
    undoes: Installation, kube_shop: KubeShop
) -> None:
    """v2's pod alerted, and went; v1's pod alerts as well: another pod, the same trouble of the same workload."""
    with undoes.running():
        released(kube_shop)
        before = generation(kube_shop)
        (pod,) = kube_shop.new_pods("web-canary", "v2")
        first = kube_shop.about_pod(pod)
        undoes.notify(body(first))
        gone_back(undoes, kube_shop)
        kube_shop.scale("web-canary", 2)
        (pod, *_) = kube_shop.pod_names("web-canary")
        undoes.notify(body(resolved(first)))

        rollback = ends(undoes, kube_shop.about_pod(pod))

        assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "still-firing")
        assert f"{rollback['from']} was brought back, in place of {rollback['to']}" in rollback["detail"]
        assert kube_shop.tag(*CANARY) == "v2"
        kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
        assert len(kube_shop.new_pods("web-canary", "v2")) == 2
        assert generation(kube_shop) == before + 3, "back, scaled by somebody, and back again"

        undoes.notify(body(kube_shop.alert(deployment="web-canary", again="yes")))
        (again,) = [one for one in undoes.ended(count=2) if one["id"] != rollback["id"]]
        assert (again["outcome"], again["reason"]) == ("refused", "effect-already-made")
        assert generation(kube_shop) == before + 3


def test_a_check_that_is_not_met_brings_a_statefulset_back_to_what_was_there(
    tmp_path: Path, redis_server: Redis, cluster: Cluster, kube_shop: KubeShop
) -> None:
    """Its alert is over; what a real Prometheus says afterwards is not what the rule wants."""
    verify = {**UNDO, "check": [{"promql": "vector(1)", "is": "== 0"}]}
    with prometheus(tmp_path / "prometheus", {}, ()) as asked:
        more = {"numbers": {**SHORT, **HEARD_OFTEN}, "prometheus": {"url": f"http://127.0.0.1:{asked.port}"}}
        kube = kube_installation(
            tmp_path / "installed",
            redis_server.url,
            cluster.kubeconfig,
            rules=kube_rules(verify=verify),
            more=more,
        )
        with kube.running():
            labels = {NAME: SERVICE, "track": "canary"}
            made = statefulset("db", cluster.image("v1"), labels=labels, pod_labels=labels, replicas=1)
            cluster.roll(made, kube_shop.namespace)
            kube_shop.release("StatefulSet", "db", "v2")
            cluster.wait_rolled_out("StatefulSet", kube_shop.namespace, "db")
            firing = kube_shop.alert(statefulset="db")
            kube.notify(body(firing))
            until(lambda: kube_shop.tag("StatefulSet", "db") != "v2", within_s=40, what="it goes back")
            kube.notify(body(resolved(firing)))
            rollback = ends(kube)
            assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "check-not-met")
            assert kube_shop.tag("StatefulSet", "db") == "v2"
            cluster.wait_rolled_out("StatefulSet", kube_shop.namespace, "db")


def test_a_release_that_came_before_the_verdict_is_left_alone(undoes: Installation, kube_shop: KubeShop) -> None:
    """Whoever brought v3 since knows more than the verdict on v1 does."""
    with undoes.running():
        released(kube_shop)
        firing = kube_shop.alert(deployment="web-canary")
        undoes.notify(body(firing))
        gone_back(undoes, kube_shop)
        kube_shop.release(*CANARY, "v3")
        deployed = generation(kube_shop)
        rollback = ends(undoes, firing)
        assert (rollback["outcome"], rollback["reason"]) == ("inconclusive", "superseded")
        assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v3", deployed)


@pytest.fixture
def slower(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Installation:
    """Give the same, with time to change machines before the verdict."""
    rules = kube_rules(verify={**UNDO, "cleared-within": "6s"})
    return undoing(tmp_path, redis_server, cluster, rules=rules)


@contextlib.contextmanager
def stopped_at_the_way_back(
    kube: Installation, shop: KubeShop, folder: Path, point: str
) -> Iterator[tuple[Paused, dict[str, Any]]]:
    """Give a machine that is stopped around the patch of the way back, and the alert that goes on."""
    firing = shop.alert(deployment="web-canary")
    with kube.working("first") as first:
        kube.notify(body(firing))
        until(
            lambda: [one["state"] for one in kube.rollbacks()] == ["verifying"], within_s=40, what="it is changed"
        )
        first.kill()
    stays(lambda: kube.notify(body(firing)).status in {200, 202}, for_s=4, what="its alert goes on")
    with kube.working("second", module=stops_at(point, folder)) as second:
        yield Paused.by_itself(second, folder), firing


def test_who_deploys_while_it_goes_back_is_not_written_over(
    slower: Installation, kube_shop: KubeShop, tmp_path: Path
) -> None:
    """The patch is composed and not yet sent: it names a version that is gone by then. People decide."""
    with slower.serving():
        released(kube_shop)
        with stopped_at_the_way_back(slower, kube_shop, tmp_path, "http-patch.before") as (paused, _):
            kube_shop.release(*CANARY, "v3")
            deployed = generation(kube_shop)
            paused.resume()
            held = ends(slower, state="held")
            assert held["reason"] == "changed-meanwhile"
            assert "somebody changed the pod template of web-canary meanwhile" in held["detail"]
            assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v3", deployed)


def test_a_worker_that_dies_on_the_way_back_has_taken_it_once(
    slower: Installation, kube_shop: KubeShop, tmp_path: Path
) -> None:
    """Killed with the patch sent and its answer unread: the next one sees it done, and goes on to the end."""
    with slower.serving():
        released(kube_shop)
        before = generation(kube_shop)
        with stopped_at_the_way_back(slower, kube_shop, tmp_path, "http-patch.after") as (paused, firing):
            assert kube_shop.tag(*CANARY) == "v2"
            paused.machine.kill()
            with slower.working("third"):
                rollback = ends(slower, firing)
                journal = slower.rollback(rollback["id"])["journal"]
    assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "still-firing")
    assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v2", before + 2)
    done = [(e["phase"], e["step_kind"]) for e in journal if e["kind"] == "done" and e["step_kind"] == "patch"]
    assert done == [("plan", "patch"), ("way-back", "patch")]
