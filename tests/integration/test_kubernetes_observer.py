"""The observer notes what healthy workloads of a real cluster run, once, and then asks for next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from testbed import access
from testbed.cluster import Cluster
from testbed.wait import until
from testbed.workloads import daemonset, deployment, statefulset

from controller.ledger import Ledger, connect
from controller.settings.clusters import ClusterSettings
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.errors import Permanent
from rules.seals import Key
from workers.keeping import Keeper
from workers.kubernetes import access as product
from workers.kubernetes import recording
from workers.observer import Observer

EU = "eu"


@dataclass
class Counted:
    """A way to the cluster that counts what is asked for."""

    way: product.Cluster
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.way.name

    @property
    def namespaces(self) -> tuple[str, ...]:
        return self.way.namespaces

    def list(self, path: str, **query: Any) -> Any:
        self.asked.append(path.rpartition("/")[2])
        return self.way.list(path, **query)

    def close(self) -> None:
        self.way.close()


def way(kubeconfig: Path, *namespaces: str) -> Counted:
    settings = ClusterSettings(kubeconfig=kubeconfig, namespaces=namespaces)
    return Counted(product.connect_cluster(EU, settings, Numbers()))


def instance(namespace: str, kind: str, name: str) -> str:
    return f"kubernetes/{EU}/{namespace}/{kind}/{name}"


def digest_of(cluster: Cluster, namespace: str, name: str) -> str:
    pods = cluster.pods(namespace, f"app.kubernetes.io/instance={name}")
    (image_id,) = {pod["status"]["containerStatuses"][0]["imageID"] for pod in pods}
    return str(image_id).rpartition("@")[2]


def sweep(eu: Counted, ledger: Ledger, good_after_s: float = 86_400, key: Key | None = None) -> str:
    """Sweep once."""
    keeper = Keeper(ledger, f"kubernetes/{EU}", good_after_s).open()
    return recording.sweep(eu, ledger.sightings, keeper, sealed_by=key)  # type: ignore[arg-type]


def swept(ledger: Ledger, eu: Counted, noted: Callable[[], bool]) -> None:
    """Sweep until what is waited for is noted: pods may lag behind what their workload says."""

    def seen() -> bool:
        assert sweep(eu, ledger) == ""
        return noted()

    until(seen, within_s=20, what="the observer has noted it")


def test_every_kind_is_noted_by_the_hash_of_its_revision(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """As ReplicaSets and ControllerRevisions name it."""
    cluster.roll(deployment("web", cluster.image("v1")), namespace)
    cluster.roll(statefulset("db", cluster.image("v1"), replicas=1), namespace)
    cluster.roll(daemonset("agent", cluster.image("v2")), namespace)
    eu = way(cluster.kubeconfig, namespace)
    ids = [
        instance(namespace, *named)
        for named in (("deployment", "web"), ("statefulset", "db"), ("daemonset", "agent"))
    ]
    swept(ledger, eu, lambda: all(ledger.sightings.digests(ident) for ident in ids))
    web, db, agent = (ledger.sightings.seen(ident) for ident in ids)
    (replica_set,) = cluster.all("ReplicaSet", namespace)
    assert [s.hash for s in web] == [replica_set["metadata"]["labels"]["pod-template-hash"]]
    of_db = cluster.get("StatefulSet", namespace, "db")["status"]["updateRevision"]
    assert [s.hash for s in db] == [of_db.removeprefix("db-")]
    (pod,) = cluster.pods(namespace, "app.kubernetes.io/instance=agent")
    assert [s.hash for s in agent] == [pod["metadata"]["labels"]["controller-revision-hash"]]
    assert [s.version for s in (*web, *db, *agent)] == ["v1", "v1", "v2"]
    assert [dict(s.digests) for s in (*web, *db, *agent)] == [
        {"app": digest_of(cluster, namespace, name)} for name in ("web", "db", "agent")
    ]


def test_a_sweep_in_which_nothing_happened_is_three_lists(
    cluster: Cluster, namespace: str, ledger: Ledger
) -> None:
    """A pod that came or went makes its workload looked at again, and nothing else."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    eu, web = way(cluster.kubeconfig, namespace), instance(namespace, "deployment", "web")
    swept(ledger, eu, lambda: bool(ledger.sightings.digests(web)))
    until(lambda: _quiet(eu, ledger), within_s=20, what="a sweep asks for the three lists only")
    cluster.patch("Deployment", namespace, "web", {"spec": {"replicas": 2}})
    cluster.wait_rolled_out("Deployment", namespace, "web")
    until(lambda: "pods" in _asked(eu, ledger), within_s=20, what="the workload is looked at again")


def test_a_key_that_was_set_seals_what_runs_now(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """What was noted before it does not count, and what is healthy is looked at once more."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    eu, web = way(cluster.kubeconfig, namespace), instance(namespace, "deployment", "web")
    swept(ledger, eu, lambda: bool(ledger.sightings.digests(web)))
    until(lambda: _quiet(eu, ledger), within_s=20, what="it needs no other look")
    key = Key.of(b"k" * 32)
    assert ledger.sightings.digests(web, [key]) == {}
    assert sweep(eu, ledger, key=key) == ""
    assert ledger.sightings.digests(web, [key]) == ledger.sightings.digests(web) != {}
    eu.asked.clear()
    sweep(eu, ledger, key=key)
    assert eu.asked == ["deployments", "statefulsets", "daemonsets"]


def _asked(eu: Counted, ledger: Ledger) -> list[str]:
    eu.asked.clear()
    sweep(eu, ledger)
    return eu.asked


def _quiet(eu: Counted, ledger: Ledger) -> bool:
    return _asked(eu, ledger) == ["deployments", "statefulsets", "daemonsets"]


def test_a_bad_release_is_never_noted(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Its pods are not ready; the good release before it stays known, and looking soon costs no call."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    eu, web = way(cluster.kubeconfig, namespace), instance(namespace, "deployment", "web")
    swept(ledger, eu, lambda: bool(ledger.sightings.digests(web)))
    good = ledger.sightings.digests(web)
    cluster.set_image("Deployment", namespace, "web", cluster.image("bad"))

    def bad_pod_runs() -> bool:
        pods = cluster.pods(namespace)
        return any(
            status["image"].endswith(":bad") and status.get("imageID")
            for pod in pods
            for status in pod["status"].get("containerStatuses", ())
        )

    until(bad_pod_runs, within_s=30, what="a pod of the bad release runs")
    until(lambda: _quiet(eu, ledger), within_s=30, what="the bad release was looked at, and no more")
    entry = ledger.roster.get(web)
    assert entry is not None
    assert (entry.names[1], entry.healthy) == ("bad", False)
    assert ledger.sightings.digests(web) == good


def test_tags_that_move_are_named_until_they_are_gone(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Healthy or not: `latest`, or no tag at all."""
    cluster.apply(deployment("web", f"{cluster.images}:latest", replicas=0), namespace)
    cluster.apply(deployment("fixed", cluster.image("v1"), replicas=0), namespace)
    eu = way(cluster.kubeconfig, namespace)
    sweep(eu, ledger)
    (found,) = ledger.sightings.sweeps()
    web = instance(namespace, "deployment", "web")
    assert (found.workloads, dict(found.moving)) == (2, {web: (f"{cluster.images}:latest",)})
    cluster.set_image("Deployment", namespace, "web", cluster.image("v1"))
    sweep(eu, ledger)
    assert dict(ledger.sightings.sweeps()[0].moving) == {}


def test_what_may_not_be_listed_is_said_and_hides_nothing_else(
    cluster: Cluster, namespace: str, ledger: Ledger
) -> None:
    """The message names the line of the Role; a cluster that shows nothing at all is refused as a whole."""
    cluster.roll(deployment("web", cluster.image("v1"), replicas=1), namespace)
    allowed: list[access.Rule] = [
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]
    eu = way(cluster.user_kubeconfig("some", namespace, allowed), namespace)
    trouble = sweep(eu, ledger)
    assert "statefulsets" in trouble
    assert 'verbs: ["get", "list", "patch"]' in trouble
    assert ledger.sightings.digests(instance(namespace, "deployment", "web"))
    assert ledger.sightings.sweeps()[0].trouble == trouble
    blind = way(cluster.user_kubeconfig("blind", namespace, []), namespace)
    with pytest.raises(Permanent, match="not allowed"):
        sweep(blind, ledger)


def test_trouble_is_logged_when_it_comes_and_when_it_goes(
    cluster: Cluster, namespace: str, ledger: Ledger, tmp_path: Path
) -> None:
    """One line each, however many sweeps it lasts; a fresh client each time sees that the way was mended."""
    kubeconfig = tmp_path / "kubeconfig"
    settings = ClusterSettings(kubeconfig=kubeconfig, namespaces=(namespace,))
    numbers = Numbers(observe_every_s=0.001)
    observer = Observer(ledger, {EU: lambda: product.connect_cluster(EU, settings, numbers)}, numbers)
    with capture_logs() as lines:
        for _ in range(3):
            _turn(observer)
        kubeconfig.write_text(cluster.kubeconfig.read_text())
        for _ in range(3):
            _turn(observer)
    assert [line["event"] for line in lines] == ["observer.cluster_troubled", "observer.cluster_seen"]
    assert ledger.sightings.sweeps()[0].trouble == ""


def _turn(observer: Observer) -> None:
    """Look once the claim of the last look has lapsed."""
    before = _tried(observer.ledger)

    def looked() -> bool:
        observer.look()
        return _tried(observer.ledger) != before

    until(looked, within_s=5, what="the cluster was swept, or tried")


def _tried(ledger: Ledger) -> list[object]:
    client = ledger._client
    return [client.hgetall("rc:sweeps"), client.hgetall("rc:sweep-troubles")]


def test_redis_away_is_waited_out(ledger: Ledger) -> None:
    """One line when it goes, one when it is back."""
    away = connect(RedisSettings(url="redis://127.0.0.1:1/0"), Numbers(), "web")
    observer = Observer(away, {EU: lambda: pytest.fail("nothing is asked without the ledger")}, Numbers())
    with capture_logs() as lines:
        observer.look()
        observer.look()
        observer.ledger = ledger
        observer.clusters = {}
        observer.look()
    assert [line["event"] for line in lines] == ["observer.ledger_unavailable", "observer.ledger_back"]


def test_one_machine_looks_at_a_time(ledger: Ledger) -> None:
    """The other finds the cluster claimed and asks it for nothing."""
    assert ledger.sightings.claim(EU, 30)
    Observer(ledger, {EU: lambda: pytest.fail("another machine sweeps it")}, Numbers()).look()
