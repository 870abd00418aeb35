"""On a real cluster: what is an arrival, since when, and by whose hand."""

from __future__ import annotations

import pytest
from testbed.cluster import Cluster
from testbed.driven import ROLLBACK, Driven, params
from testbed.wait import until
from testbed.workloads import daemonset, deployment, statefulset

from controller.ledger import Ledger, RosterEntry
from controller.settings.clusters import ClusterSettings
from controller.settings.numbers import Numbers
from rules.facts import Arrival, Hand
from rules.instances import WorkloadKind
from rules.marks import Mark
from workers.keeping import Keeper
from workers.kubernetes.access import connect_cluster
from workers.kubernetes.progress import seconds_of
from workers.kubernetes.recording import sweep

EU = "eu"


class Watched:
    """One workload, seen by the observer's eyes."""

    def __init__(self, cluster: Cluster, namespace: str, ledger: Ledger, kind: str = "Deployment") -> None:
        self.cluster, self.namespace, self.ledger, self.kind = cluster, namespace, ledger, kind
        settings = ClusterSettings(kubeconfig=cluster.kubeconfig, namespaces=(namespace,))
        self.way = connect_cluster(EU, settings, Numbers())
        self.instance = f"kubernetes/{EU}/{namespace}/{kind.lower()}/web"

    def roll(self, tag: str) -> None:
        make = {"Deployment": deployment, "StatefulSet": statefulset, "DaemonSet": daemonset}[self.kind]
        more = {} if self.kind == "DaemonSet" else {"replicas": 1}
        self.cluster.roll(make("web", self.cluster.image(tag), **more), self.namespace)  # type: ignore[operator]

    def undo(self) -> None:
        self.cluster.kubectl("-n", self.namespace, "rollout", "undo", f"{self.kind.lower()}/web")
        self.cluster.wait_rolled_out(self.kind, self.namespace, "web")

    def look(self, good_after_s: float = 86_400) -> RosterEntry:
        """Sweep until the present revision is seen well."""

        def seen() -> RosterEntry | None:
            keeper = Keeper(self.ledger, f"kubernetes/{EU}", good_after_s).open()
            assert sweep(self.way, self.ledger.sightings, keeper) == ""
            entry = self.ledger.roster.get(self.instance)
            return entry if entry and entry.healthy else None

        return until(seen, within_s=30, what="the workload is seen well")

    def made_ms(self, version: str) -> int:
        """Return when the revision of a version was made."""
        kind = "ReplicaSet" if self.kind == "Deployment" else "ControllerRevision"
        for kept in self.cluster.all(kind, self.namespace):
            template = kept["spec"]["template"] if kind == "ReplicaSet" else kept["data"]["spec"]["template"]
            if template["spec"]["containers"][0]["image"].endswith(f":{version}"):
                return round((seconds_of(kept["metadata"]["creationTimestamp"]) or 0) * 1000)
        raise AssertionError(f"no revision runs {version}")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_an_undo_by_a_person_to_an_old_revision_is_an_arrival(
    cluster: Cluster, namespace: str, ledger: Ledger, kind: str
) -> None:
    """After the release that it undoes, though its own revision is older; what was new came as it was made."""
    watched = Watched(cluster, namespace, ledger, kind)
    watched.roll("v1")
    first = watched.look()
    made = watched.made_ms("v1")
    assert (first.names[1], first.arrival) == ("v1", Arrival(made, made))
    watched.roll("v2")
    second = watched.look()
    made = watched.made_ms("v2")
    assert (second.names[1], second.arrival) == ("v2", Arrival(made, made))
    watched.undo()
    third = watched.look()
    assert third.names[0] == first.names[0]
    assert third.pin not in (first.pin, second.pin)
    assert third.arrival.after_ms is not None
    assert second.arrival.by_ms <= third.arrival.after_ms <= third.arrival.by_ms <= third.seen_ms
    assert third.arrival.hand is Hand.DEPLOY
    past = ledger.roster.arrivals(watched.instance)
    assert [arrival.release for arrival in past] == [third.names[0], second.names[0], first.names[0]]


def test_what_ran_before_anybody_looked_is_known(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Day one is not blind: an undo that nobody saw lies between its neighbours."""
    watched = Watched(cluster, namespace, ledger)
    watched.roll("v1")
    watched.roll("v2")
    watched.undo()
    entry = watched.look()
    assert entry.arrival.after_ms == watched.made_ms("v2")
    assert entry.arrival.by_ms <= entry.seen_ms
    past = ledger.roster.arrivals(watched.instance)
    assert [(one.release, one.arrival.by_ms) for one in past[1:]] == [
        (past[1].release, watched.made_ms("v2")),
        (entry.names[0], watched.made_ms("v1")),
    ]


def test_a_pod_restart_is_no_arrival(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """A pod that is deleted comes again under the same release; so does one of `rollout restart`."""
    watched = Watched(cluster, namespace, ledger)
    watched.roll("v1")
    before = watched.look()
    (pod,) = cluster.pods(namespace)
    cluster.delete("Pod", namespace, pod["metadata"]["name"])
    cluster.wait_rolled_out("Deployment", namespace, "web")
    after = watched.look()
    assert (after.pin, after.arrival) == (before.pin, before.arrival)
    cluster.kubectl("-n", namespace, "rollout", "restart", "deployment/web")
    cluster.wait_rolled_out("Deployment", namespace, "web")
    again = until(lambda: (e := watched.look()).pin != before.pin and e, within_s=30, what="the restart is seen")
    assert again.arrival == before.arrival
    assert len(ledger.roster.arrivals(watched.instance)) == 1


def test_our_own_rollback_is_an_arrival_of_ours(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """Seen on the workload itself, from the first look on."""
    watched = Watched(cluster, namespace, ledger)
    watched.roll("v1")
    watched.roll("v2")
    bad = watched.look()
    Driven(cluster, namespace, WorkloadKind.DEPLOYMENT, "web", params(who="rule canary")).goes_back()
    cluster.wait_rolled_out("Deployment", namespace, "web")
    entry = until(lambda: (e := watched.look()).pin != bad.pin and e, within_s=30, what="the rollback is seen")
    assert (entry.names[1], entry.arrival.hand, entry.arrival.who) == ("v1", Hand.ROLLBACK, ROLLBACK)
    assert entry.arrival.after_ms is not None
    assert bad.arrival.by_ms <= entry.arrival.after_ms


def test_what_was_good_for_long_enough_is_known_good(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """By the service of its pods; what never got ready is not."""
    watched = Watched(cluster, namespace, ledger)
    watched.roll("v1")
    entry = watched.look()
    watched.look(good_after_s=0)
    catalogue = ledger.catalogue.of(entry.service, entry.environment)
    assert (catalogue.mark_of(entry.names).mark, catalogue.mark_of(entry.names).by) == (
        Mark.KNOWN_GOOD,
        "observer",
    )


def test_a_workload_that_is_deleted_is_struck_off(cluster: Cluster, namespace: str, ledger: Ledger) -> None:
    """It is no instance of its service any more."""
    watched = Watched(cluster, namespace, ledger)
    watched.roll("v1")
    entry = watched.look()
    assert ledger.roster.of_service(entry.service, "") == (entry,)
    cluster.delete("Deployment", namespace, "web")

    def gone() -> bool:
        sweep(watched.way, ledger.sightings, Keeper(ledger, f"kubernetes/{EU}", 60).open())
        return ledger.roster.get(watched.instance) is None

    until(gone, within_s=20, what="it is struck off")
    assert ledger.roster.of_service(entry.service, "") == ()
