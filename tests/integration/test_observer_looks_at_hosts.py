"""The observer looks at every instance of the inventory: what it runs, since when, how well, and for how long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from testbed import shop
from testbed.local_shops import LocalShop, local_inventory, local_shops
from testbed.redis import Redis
from testbed.wait import until

from controller.ledger import Ledger, Look
from controller.settings.numbers import Numbers
from rules.catalogue import Manifest
from rules.decisions import Reason
from rules.errors import Transient
from rules.facts import Arrival, Hand, Sample
from rules.instances import HostInstance
from rules.inventory import Inventory, parse_inventory
from rules.marks import Mark
from workers.hosts import sweeping
from workers.keeping import Keeper
from workers.observer import Observer
from workers.stopping import Stopping

TWO = HostInstance("default", "two", "two")
OFTEN = Numbers(observe_hosts_every_s=10)


@dataclass
class Watched:
    """Two shops on this machine, and what looks at them."""

    shops: dict[str, LocalShop]
    ledger: Ledger
    client: Any
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    up: list[Sample] | None = None
    blind: bool = False

    def __post_init__(self) -> None:
        self.entries = {name: one.entry("stable") for name, one in self.shops.items()}
        labels = {"track": "stable", "env": "prod"}
        for entry in self.entries.values():
            entry["hosts"][0]["labels"] = labels

    def inventory(self) -> Inventory:
        return parse_inventory(local_inventory(**self.entries), "inventory.yaml")

    def observer(self, good_after_s: float = 86_400) -> Observer:
        prometheus = None if self.up is None and not self.blind else lambda: self
        return Observer(self.ledger, {}, OFTEN, self.inventory, prometheus, good_after_s)  # type: ignore[arg-type]

    def look(self, good_after_s: float = 86_400) -> None:
        """Look once, though it was looked a moment ago."""
        self.client.delete("rc:sweeping:hosts/default")
        self.observer(good_after_s).look_at_hosts()

    def entry(self, name: str) -> Any:
        return self.ledger.roster.get(self.shops[name].instance)

    def query(self, promql: str) -> tuple[Sample, ...]:
        """Answer as Prometheus does."""
        if promql == "shop_build_info":
            return (Sample(1, {"instance": "127.0.0.1:8080", "version": "1.4.0", "revision": "9f2c41d"}),)
        assert promql == "up"
        if self.blind:
            raise Transient(Reason.MONITORING_BLIND, "Prometheus does not answer")
        return tuple(self.up or ())

    def close(self) -> None:
        pass


@pytest.fixture
def watched(tmp_path: Path, ledger: Ledger, redis_server: Redis) -> Iterator[Watched]:
    with local_shops(tmp_path, "one", "two") as shops, redis_server.client() as client:
        for made in shops.values():
            shop.write_release(made.releases, "v1.4.0")
        yield Watched(shops, ledger, client)


def test_each_instance_is_written_down(watched: Watched) -> None:
    """With its labels, its environment, and whether its health URL answers well."""
    watched.shops["two"].deploy("v1.4.0")
    watched.look()
    one, two = watched.entry("one"), watched.entry("two")
    assert (one.names[0], one.healthy, one.good_since_ms) == ("v1.3.0", False, None)
    assert (two.names[0], two.healthy) == ("v1.4.0", True)
    assert two.good_since_ms == two.seen_ms
    assert (two.service, two.environment, two.labels["track"]) == ("two", "prod", "stable")
    assert two.platform.startswith("linux/")
    assert watched.ledger.roster.of_service("two", "prod") == (two,)


def test_a_deployment_is_an_arrival(watched: Watched) -> None:
    """At the moment at which the link was moved into place, before anybody looked."""
    watched.shops["one"].deploy("v1.4.0")
    moved_ms = watched.shops["one"].current.lstat().st_ctime_ns // 1_000_000
    watched.look()
    came = watched.entry("one").arrival
    assert (came.by_ms, came.hand) == (moved_ms, Hand.DEPLOY)
    assert moved_ms - 5_000 < came.after_ms <= moved_ms
    watched.look()
    assert watched.entry("one").arrival == came
    watched.shops["one"].deploy("v1.3.0")
    watched.look()
    assert watched.entry("one").arrival.after_ms >= came.by_ms
    past = watched.ledger.roster.arrivals(watched.shops["one"].instance)
    assert [arrival.release for arrival in past] == ["v1.3.0", "v1.4.0"]


def test_what_the_inventory_no_longer_names_is_struck_off(watched: Watched) -> None:
    """It is no part of its service any more."""
    watched.look()
    del watched.entries["two"]
    watched.look()
    assert watched.entry("two") is None
    assert watched.entry("one") is not None


def test_one_machine_looks_at_a_time(watched: Watched) -> None:
    """The other finds the inventory claimed."""
    assert watched.ledger.sightings.claim("hosts/default", 30)
    watched.observer().look_at_hosts()
    assert watched.entry("one") is None


def test_who_hangs_keeps_nobody_else_waiting(watched: Watched) -> None:
    """What hangs is left for the next sweep; it takes its place in the queue last then."""
    released, began = threading.Event(), []

    def look_at(instance: HostInstance, inventory: Inventory) -> Look:
        began.append(instance.service)
        if instance.service.startswith("dead"):
            released.wait()
        return Look(instance.id, instance.service, "", "hosts/default", ("v1",), "pin")

    for n in range(20):
        name = f"dead{n:02}" if n < 7 else f"live{n:02}"
        place = {"releases": f"/opt/{name}/releases", "current": f"/opt/{name}/current"}
        watched.entries[name] = {
            **place,
            "restart": {"command": ["true"]},
            "hosts": [{"name": name, "address": name}],
        }
    keeper = Keeper(watched.ledger, "hosts/default", 60).open()
    try:
        troubles = sweeping.sweep(watched.inventory(), keeper, (), 3, look_at=look_at)
        assert {ident.split("/")[-1] for ident in troubles} == {f"dead{n:02}" for n in range(7)}
        assert len(watched.ledger.roster.known_in("hosts/default")) == 15
        began.clear()
        again = sweeping.sweep(watched.inventory(), keeper, tuple(troubles), 3, look_at=look_at)
        assert again == troubles
        assert [name.startswith("dead") for name in began] == [False] * 15 + [True] * 7
    finally:
        released.set()


def test_trouble_is_logged_when_it_comes_and_when_it_goes(watched: Watched) -> None:
    """With what to do about it; nobody else is concerned."""
    current = watched.shops["one"].current
    target = current.readlink()
    observer = watched.observer()
    with capture_logs() as lines:
        current.unlink()
        for broken in (True, True, False):
            if not broken:
                current.symlink_to(target)
            watched.client.delete("rc:sweeping:hosts/default")
            observer.look_at_hosts()
            assert (
                any("one on one cannot be observed" in why for why in watched.ledger.sightings.not_seen())
                is broken
            )
    told = [(line["event"], line["host"]) for line in lines if line["event"].startswith("observer.host")]
    assert told == [
        ("observer.host_troubled", watched.shops["one"].instance),
        ("observer.host_seen", watched.shops["one"].instance),
    ]
    assert "deploy once" in str(lines[0]["error"])


def test_a_release_that_was_good_for_long_enough_is_known_good(watched: Watched) -> None:
    """Said by the observer, with what it rests on; the sick one is not."""
    watched.shops["two"].deploy("v1.4.0")
    watched.look()
    watched.look(good_after_s=0)
    catalogue = watched.ledger.catalogue.of("two", "prod")
    marked = catalogue.mark_of(["v1.4.0"])
    assert (marked.mark, marked.by) == (Mark.KNOWN_GOOD, "observer")
    assert "whether it was scraped was not checked" in marked.why
    assert watched.ledger.catalogue.of("two", "staging").mark_of(["v1.4.0"]).mark is Mark.UNKNOWN
    assert watched.ledger.catalogue.of("one", "prod").mark_of(["v1.3.0"]).mark is Mark.UNKNOWN


def test_a_registered_version_is_known_good_wherever_it_runs(watched: Watched) -> None:
    """The manifest joins what clusters and hosts call it."""
    watched.shops["two"].deploy("v1.4.0")
    watched.ledger.catalogue.register(Manifest("two", "1.4", commit="9f2c41d"), by="ci")
    told = replace(sweeping.look_at_host(TWO, watched.inventory()), names=("v1.4.0", "9f2c41d"))
    keeper = Keeper(watched.ledger, "hosts/default", good_after_s=0).open()
    keeper.note(told)
    keeper.write()
    catalogue = watched.ledger.catalogue.of("two", "prod")
    assert catalogue.mark_of(["web+abc", "9f2c41d"]).mark is Mark.KNOWN_GOOD
    assert catalogue.marks["v1.4.0"].by == catalogue.marks["1.4"].by == "observer"


@pytest.mark.parametrize("mark", [Mark.KNOWN_BAD, Mark.SUSPECT])
def test_what_a_person_said_stands(watched: Watched, mark: Mark) -> None:
    """The observer changes no doubt."""
    watched.shops["two"].deploy("v1.4.0")
    watched.ledger.catalogue.mark("two", "v1.4.0", mark, by="ann")
    watched.look()
    watched.look(good_after_s=0)
    assert watched.ledger.catalogue.of("two", "prod").mark_of(["v1.4.0"]).mark is mark


@pytest.mark.parametrize(
    ("up", "blind", "scraped", "good"),
    [
        ([Sample(1, {"instance": "127.0.0.1:8080"})], False, True, True),
        ([Sample(0, {"instance": "127.0.0.1:8080"})], False, False, False),
        ([], False, None, True),
        (None, True, None, False),
    ],
    ids=["scraped", "not scraped", "no such target", "Prometheus is away"],
)
def test_what_is_not_scraped_is_not_good(
    watched: Watched, up: list[Sample] | None, blind: bool, scraped: bool | None, good: bool
) -> None:
    """And nobody vouches for anything while Prometheus does not answer."""
    watched.up, watched.blind = up, blind
    watched.shops["two"].deploy("v1.4.0")
    watched.look()
    watched.look(good_after_s=0)
    assert watched.entry("two").scraped is scraped
    marked = watched.ledger.catalogue.of("two", "prod").mark_of(["v1.4.0"])
    assert (marked.mark is Mark.KNOWN_GOOD) is good
    assert "not checked" not in marked.why


def test_a_service_that_tells_its_version_is_known_by_it(watched: Watched, tmp_path: Path) -> None:
    """Its words stand beside the link's."""
    one = watched.shops["one"]
    (one.folder / "version").write_text(json.dumps({"version": "1.3.0", "commit": "9f2c41d"}))

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *words: Any) -> None:
            super().__init__(*words, directory=str(one.folder))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            watched.entries["one"]["version"] = {"url": f"http://{{address}}:{server.server_port}/version"}
            watched.look()
        finally:
            server.shutdown()
            thread.join()
    assert watched.entry("one").names == ("v1.3.0", "1.3.0", "9f2c41d")


def test_a_metric_of_builds_names_what_runs(watched: Watched) -> None:
    """Not in the first minutes: then it may still be that of the release before."""
    watched.up = []
    for entry in watched.entries.values():
        entry["version"] = {"metric": "shop_build_info"}
    watched.look()
    assert watched.entry("two").names == ("v1.3.0",)

    def long_ago(instance: HostInstance, inventory: Inventory) -> Look:
        look = sweeping.look_at_host(instance, inventory)
        return replace(look, arrived=Arrival(1_000, 1_000))

    keeper = Keeper(watched.ledger, "hosts/default", 60).open()
    builds = watched.observer()._builds(watched.inventory())
    sweeping.sweep(watched.inventory(), keeper, (), 9, look_at=long_ago, builds=builds)
    assert watched.entry("two").names == ("v1.3.0", "1.4.0", "9f2c41d")


def test_clusters_and_hosts_are_looked_at_beside_each_other(watched: Watched) -> None:
    """The process begins with both, and ends where it is asked to."""
    stopping, observer = Stopping(), watched.observer()
    running = threading.Thread(target=observer.run, args=(stopping,))
    running.start()
    try:
        until(lambda: watched.entry("two") is not None, within_s=20, what="the hosts were looked at")
    finally:
        stopping.set()
        running.join()
