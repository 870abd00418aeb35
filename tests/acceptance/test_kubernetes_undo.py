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
from testbed.kube_shop import KubeShop, kube_installation, kube_rules, resolved
from testbed.local_shops import together
from testbed.paused import SHORT, Paused, stops_at
from testbed.prometheus import prometheus
from testbed.redis import Redis, valkey
from testbed.wait import stays, until
from testbed.workloads import NAME, statefulset

NUMBERS = {**SHORT, "heard_write_every_s": 0.1, "observe_every_s": 1}
UNDO = {"healthy-within": "60s", "steady": "0s", "cleared-within": "2s", "on-ineffective": "undo"}
NOT_MET = {**UNDO, "check": [{"promql": "vector(1)", "is": "== 0"}]}
CANARY = ("Deployment", "web-canary")


def rule(alertname: str, verify: dict[str, Any] = UNDO) -> str:
    """Return a rule about alerts of one name; after the first that did not help it may only ask."""
    when = {"matchers": [f'alertname="{alertname}"']}
    return kube_rules(name=alertname.lower(), when=when, verify=verify)


@pytest.fixture(scope="module")
def undoes(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Installation]:
    """Run an installation whose rules take back what did not help, each test with a rule of its own."""
    folder = tmp_path_factory.mktemp("undo")
    (folder / "redis").mkdir()
    rules = together(rule("Goes"), rule("Checked", NOT_MET), rule("Overtaken"))
    with prometheus(folder / "prometheus", {}, ()) as asked, valkey(folder / "redis") as redis:
        more = {"numbers": NUMBERS, "prometheus": {"url": f"http://127.0.0.1:{asked.port}"}}
        installed = kube_installation(folder / "installed", redis.url, cluster.kubeconfig, rules=rules, more=more)
        with installed.running():
            yield installed


def released(shop: KubeShop, service: str) -> int:
    """Release v2 over v1: both are well by their probes, so going back helps nothing. Return the generation."""
    shop.deploy("web-canary", "v1", "canary", service=service, replicas=1)
    shop.release(*CANARY, "v2")
    shop.cluster.wait_rolled_out("Deployment", shop.namespace, "web-canary")
    return generation(shop)


def generation(shop: KubeShop) -> int:
    """Return how often somebody wrote the spec."""
    return int(shop.cluster.get("Deployment", shop.namespace, "web-canary")["metadata"]["generation"])


def ours(kube: Installation, shop: KubeShop) -> list[dict[str, Any]]:
    """Return the rollbacks in the namespace, the oldest first."""
    return [one for one in reversed(kube.rollbacks()) if f"/{shop.namespace}/" in one["instance"]]


def becomes(kube: Installation, shop: KubeShop, state: str, *firing: dict[str, Any]) -> dict[str, Any]:
    """Wait until the first rollback in the namespace is in a state, while alerts fire again and again."""

    def so() -> dict[str, Any]:
        if firing:
            kube.notify(body(*firing))
        found = ours(kube, shop)
        assert [one["state"] for one in found[:1]] == [state], found[:1]
        return found[0]

    return until(so, within_s=60, what=f"the rollback is {state}", every_s=0.1)


def test_what_did_not_help_is_brought_back_once_and_the_count_that_somebody_set_stays(
    undoes: Installation, kube_shop: KubeShop
) -> None:
    """v2's pod alerted, and went; v1's pod alerts as well: another pod, the same trouble of the same workload."""
    before = released(kube_shop, "goes")
    (pod,) = kube_shop.new_pods("web-canary", "v2")
    first = kube_shop.about_pod(pod, alertname="Goes")
    undoes.notify(body(first))
    becomes(undoes, kube_shop, "verifying")
    kube_shop.scale("web-canary", 2)
    (pod, *_) = set(kube_shop.pod_names("web-canary")) - {pod}
    undoes.notify(body(resolved(first)))

    rollback = becomes(undoes, kube_shop, "ended", kube_shop.about_pod(pod, alertname="Goes"))

    assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "still-firing")
    assert f"{rollback['from']} was brought back, in place of {rollback['to']}" in rollback["detail"]
    assert kube_shop.tag(*CANARY) == "v2"
    kube_shop.cluster.wait_rolled_out("Deployment", kube_shop.namespace, "web-canary")
    assert len(kube_shop.new_pods("web-canary", "v2")) == 2
    assert generation(kube_shop) == before + 3, "back, scaled by somebody, and back again"

    undoes.notify(body(kube_shop.alert(alertname="Goes", deployment="web-canary")))
    until(
        lambda: ours(undoes, kube_shop)[-1]["reason"] == "effect-already-made",
        within_s=30,
        what="the release that we brought back ourselves is none to go back from",
    )
    assert generation(kube_shop) == before + 3


def test_a_check_that_is_not_met_brings_a_statefulset_back_to_what_was_there(
    undoes: Installation, kube_shop: KubeShop
) -> None:
    """Its alert is over; what a real Prometheus says afterwards is not what the rule wants."""
    cluster, labels = kube_shop.cluster, {NAME: "checked", "track": "canary"}
    made = statefulset("db", cluster.image("v1"), labels=labels, pod_labels=labels, replicas=1)
    cluster.roll(made, kube_shop.namespace)
    kube_shop.release("StatefulSet", "db", "v2")
    cluster.wait_rolled_out("StatefulSet", kube_shop.namespace, "db")
    firing = kube_shop.alert(alertname="Checked", statefulset="db")
    undoes.notify(body(firing))
    until(lambda: kube_shop.tag("StatefulSet", "db") != "v2", within_s=40, what="it goes back")
    undoes.notify(body(resolved(firing)))
    rollback = becomes(undoes, kube_shop, "ended")
    assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "check-not-met")
    assert kube_shop.tag("StatefulSet", "db") == "v2"


def test_a_release_that_came_before_the_verdict_is_left_alone(undoes: Installation, kube_shop: KubeShop) -> None:
    """Whoever brought v3 since knows more than the verdict on v1 does."""
    released(kube_shop, "overtaken")
    firing = kube_shop.alert(alertname="Overtaken", deployment="web-canary")
    undoes.notify(body(firing))
    becomes(undoes, kube_shop, "verifying")
    kube_shop.release(*CANARY, "v3")
    deployed = generation(kube_shop)
    rollback = becomes(undoes, kube_shop, "ended", firing)
    assert (rollback["outcome"], rollback["reason"]) == ("inconclusive", "superseded")
    assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v3", deployed)


@pytest.fixture
def slower(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Iterator[Installation]:
    """Serve an installation with time to change machines before the verdict; none works yet."""
    rules = rule("Slow", {**UNDO, "cleared-within": "4s"})
    kube = kube_installation(
        tmp_path / "installed", redis_server.url, cluster.kubeconfig, rules=rules, more={"numbers": NUMBERS}
    )
    with kube.serving():
        yield kube


@contextlib.contextmanager
def stopped_at_the_way_back(
    kube: Installation, shop: KubeShop, folder: Path, point: str
) -> Iterator[tuple[Paused, dict[str, Any]]]:
    """Give a machine that is stopped around the patch of the way back, and the alert that goes on."""
    firing = shop.alert(alertname="Slow", deployment="web-canary")
    with kube.working("first") as first:
        kube.notify(body(firing))
        becomes(kube, shop, "verifying")
        first.kill()
    stays(lambda: kube.notify(body(firing)).status in {200, 202}, for_s=3, what="its alert goes on")
    with kube.working("second", module=stops_at(point, folder)) as second:
        yield Paused.by_itself(second, folder), firing


def test_who_deploys_while_it_goes_back_is_not_written_over(
    slower: Installation, kube_shop: KubeShop, tmp_path: Path
) -> None:
    """The patch is composed and not yet sent: it names a version that is gone by then. People decide."""
    released(kube_shop, "slow")
    with stopped_at_the_way_back(slower, kube_shop, tmp_path, "http-patch.before") as (paused, _):
        kube_shop.release(*CANARY, "v3")
        deployed = generation(kube_shop)
        paused.resume()
        held = becomes(slower, kube_shop, "held")
        assert held["reason"] == "changed-meanwhile"
        assert "somebody changed the pod template of web-canary meanwhile" in held["detail"]
        assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v3", deployed)
        paused.machine.kill()


def test_a_worker_that_dies_on_the_way_back_has_taken_it_once(
    slower: Installation, kube_shop: KubeShop, tmp_path: Path
) -> None:
    """Killed with the patch sent and its answer unread: the next one sees it done, and goes on to the end."""
    before = released(kube_shop, "slow")
    with stopped_at_the_way_back(slower, kube_shop, tmp_path, "http-patch.after") as (paused, firing):
        assert kube_shop.tag(*CANARY) == "v2"
        paused.machine.kill()
        with slower.working("third"):
            rollback = becomes(slower, kube_shop, "ended", firing)
            journal = slower.rollback(rollback["id"])["journal"]
    assert (rollback["outcome"], rollback["reason"]) == ("ineffective", "still-firing")
    assert (kube_shop.tag(*CANARY), generation(kube_shop)) == ("v2", before + 2)
    done = [(e["phase"], e["step_kind"]) for e in journal if e["kind"] == "done" and e["step_kind"] == "patch"]
    assert done == [("plan", "patch"), ("way-back", "patch")]
