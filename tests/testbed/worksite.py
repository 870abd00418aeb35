"""A worker's site on this machine: a service of two releases in a folder, the real driver, the real ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from controller.ledger import Ledger, NewRollback, Rollback, State, connect
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings
from rules.inventory import Health, Host, Inventory, Restart, RestartKind, Service
from testbed.redis import Redis
from testbed.wait import until
from workers.driver import Driver
from workers.finding import Finding, NoClusters
from workers.hosts import Params, reach
from workers.jobs import run
from workers.site import Site
from workers.terms import Terms

WEB2 = "hosts/default/shop/web2"
TERMS = Terms(steady_s=0, healthy_within_s=5, initial_s=0.01, max_s=0.05, attempts=3)


class NoRules:
    """Rules that know every digest they are told about."""

    rules: tuple[()] = ()

    def __init__(self) -> None:
        self.known: set[str] = set()

    def by_digest(self, digest: str) -> str | None:
        """Find a rule."""
        return digest if digest in self.known else None

    def match(self, _: object) -> tuple[()]:
        """Find none that is about an alert."""
        return ()


@dataclass
class Reading:
    """What a house has read."""

    rules: NoRules = field(default_factory=NoRules)
    inventory: Inventory | None = None
    errors: tuple[str, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        """The digests of its rules."""
        return frozenset(rule.digest for rule in self.rules.rules)

    def refresh(self) -> bool:
        """Look whether files changed; there are none."""
        return False


@dataclass
class Shop:
    """A service of two releases whose restart command appends to `restarts`."""

    folder: Path
    server: Redis
    numbers: Numbers = field(default_factory=lambda: Numbers(group_interval_s=0.05))
    house: Reading = field(default_factory=Reading)
    sick: set[str] = field(default_factory=set)
    """The releases whose health answers 500."""
    health_port: int = 0

    def __post_init__(self) -> None:
        for version in ("v1.2.0", "v1.3.0"):
            release = self.folder / "releases" / version / "bin"
            release.mkdir(parents=True)
            (release / "shop").write_text("#!/bin/sh\n")
            (release / "shop").chmod(0o755)
        self.arrive("v1.3.0")
        self.house.inventory = Inventory(services={"shop": self.service()}, local=True)

    def service(self) -> Service:
        """Describe the service."""
        argv = (
            sys.executable,
            "-c",
            "import sys; open(sys.argv[1], 'a').write('x')",
            str(self.folder / "restarts"),
        )
        return Service(
            name="shop",
            releases=str(self.folder / "releases"),
            current=str(self.folder / "current"),
            restart=Restart(RestartKind.COMMAND, argv=argv),
            hosts=(Host("web2", "127.0.0.1"),),
            executable="bin/shop",
            health=Health(url=f"http://{{address}}:{self.health_port}/healthz", within_s=5),
        )

    def with_service(self, **changes: object) -> None:
        """Change what the inventory says of the service."""
        self.house.inventory = Inventory(services={"shop": replace(self.service(), **changes)}, local=True)

    def arrive(self, version: str) -> None:
        """Deploy: point the link at a release, as a deployer would."""
        beside = self.folder / "current.new"
        beside.symlink_to(f"releases/{version}")
        beside.replace(self.folder / "current")

    @property
    def running(self) -> str:
        """The release the link points to."""
        return (self.folder / "current").readlink().name

    @property
    def restarts(self) -> int:
        """How often the service was restarted."""
        file = self.folder / "restarts"
        return len(file.read_text()) if file.exists() else 0

    @contextmanager
    def serving(self) -> Iterator[Shop]:
        """Answer for the service's health, by the release its link points to."""
        shop = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(500 if shop.running in shop.sick else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            self.health_port = server.server_address[1]
            self.with_service()
            Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()

    @contextmanager
    def site(self) -> Iterator[Site]:
        """Give a worker's site."""
        settings = RedisSettings(url=self.server.url)
        ledger = connect(settings, self.numbers, "worker")
        yield Site(
            numbers=self.numbers,
            house=self.house,
            ledger=ledger,
            lease_ledger=lambda: connect(settings, self.numbers, "lease"),
            reach=self.reach,
            find=lambda: Finding(self.house.inventory, NoClusters()),
        )
        ledger.close()

    def reach(self, instance: object, rollback: str, terms: Terms, clock: Callable[[], float]) -> Driver:
        """Reach the instance with the real driver."""
        params = Params(terms.evidence_logs_s, terms.healthy_within_s, terms.steady_s)
        return reach(instance, self.house.inventory, params, rollback, clock=clock)

    def open(self, ledger: Ledger, **changes: object) -> str:
        """Open a rollback as a person would."""
        new = NewRollback(WEB2, "shop", "web2", by="alice", spec=TERMS.write())
        return ledger.rollbacks.open(replace(new, **changes)).id

    def work(self, site: Site, ident: str, job: str = "job-1") -> Rollback:
        """Do what a bell for the rollback leads to, and read the record afterwards."""
        run(site, ident, job)
        found = site.ledger.rollbacks.get(ident)
        assert found is not None
        return found

    def work_to_the_end(self, site: Site, ident: str) -> Rollback:
        """Ring again for a rollback that only waits, until it ends or is held."""

        def over() -> Rollback | None:
            found = self.work(site, ident, "job-again")
            return found if found.state in (State.ENDED, State.HELD) else None

        return until(over, within_s=30, what=f"{ident} ends or is held")
