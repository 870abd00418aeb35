"""One run by one seed: real processes, faults within and without, and then what was seen of it."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_shops
from testbed.loopback_sshd import start_sshd
from testbed.parts import PartMissingError
from testbed.programs import free_port
from testbed.redis import Redis, valkey

from chaos import cast
from chaos.chance import LOG
from chaos.history import Accepted, History, Outsider, Pause
from chaos.invariants import effects, violations
from chaos.machines import Hit, Killer, Machine
from chaos.plan import Plan
from chaos.recovery import recoveries
from chaos.senders import Http, Monitoring, insist
from chaos.witness import Witness

NUMBERS = {
    "call_timeout_s": 2,
    "lease_ttl_s": 3,
    "lease_renew_s": 0.5,
    "lease_renew_timeout_s": 0.5,
    "lease_lost_s": 2,
    "reconcile_every_s": 0.5,
    "due_first_s": 1,
    "due_max_s": 4,
    "group_interval_s": 1,
    "observe_hosts_every_s": 20,
}
"""Numbers that agree with each other as the usual ones do, only shorter: more deaths in the same time."""
WORKERS = (1, 2)
"""The worker machines."""
_STARTS_WITHIN_S = 60
_LONG_WAITS = frozenset({"limit-reached", "paused-by-person"})
"""For an hour; and after a pause one campaign begins at a time, and minutes lie between. Their alerts resolve."""
_CALM_LOOKS = 3
"""So often in a row it has to look as if all were over: an alert may be on its way still."""
_OVER = frozenset({"ended", "held"})


@dataclass(slots=True)
class Result:
    """What came of one seed."""

    seed: int
    taste: str
    way: str
    servers: int
    seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    kills: int = 0
    stops: int = 0
    redis_restarts: int = 0
    posts: int = 0
    refused: int = 0
    accepted: int = 0
    rollbacks: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    effects: int = 0
    ways_back: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    violations: dict[str, list[str]] = field(default_factory=dict)


class Run:
    """One run, from its first process to its last."""

    def __init__(self, plan: Plan, redis: Redis, shops: Mapping[str, LocalShop], way: Mapping[str, Any]) -> None:
        self.plan = plan
        self.redis = redis
        self.shops = shops
        self.chance = random.Random(f"{plan.seed}/scenario")
        self.redis_restarts = 0
        self.pauses: list[Pause] = []
        self.unfinished: list[list[str]] = []
        self._ending = threading.Event()
        self.monitoring = Monitoring(shops, cast.alerts(shops))
        self.installed = Installation(
            Path(plan.folder) / "installed",
            redis.url,
            cast.rule_file(),
            cast.inventory(shops, way),
            more={
                "numbers": NUMBERS,
                "workers": 2,
                "policy": {"storm": {"services": 100, "within": "5m"}},
                "audit": {"key-file": "audit.key"},  # every takeover has to find the seals whole
            },
        )
        key = self.installed.folder / "audit.key"
        key.write_text(f"{self.chance.getrandbits(256):064x}")
        key.chmod(0o600)
        config = ("--config", str(self.installed.settings_file))
        self.ports = [self.installed.port, *([free_port()] if self.chance.random() < 0.5 else [])]
        self.machines = [
            Machine(f"serve{n + 1}", "chaos.serve", ("serve",), self.installed, plan, port)
            for n, port in enumerate(self.ports)
        ]
        self.machines += [Machine(f"worker{n}", "chaos.worker", config, self.installed, plan) for n in (1, 2)]
        self.killer = Killer(self.machines, plan, random.Random(f"{plan.seed}/killer"))

    def go(self) -> History:
        """Run to the end, and return what was seen."""
        before = {name: cast.identity(self.shops[name]) for name in cast.OUTSIDE}
        with Witness(self.shops, self.redis.port).watching() as witness:
            threads = [threading.Thread(target=work) for work in self._beside()]
            try:
                self._until_it_runs()
                for thread in threads:
                    thread.start()
                self._while_it_fails()
                rollbacks, decisions = self._settled()
            finally:
                self._ending.set()
                for thread in threads:
                    if thread.ident is not None:
                        thread.join()
                for machine in self.machines:
                    machine.end()
        after = {name: cast.identity(self.shops[name]) for name in cast.OUTSIDE}
        return History(
            changes=witness.changes,
            fences=witness.fences,
            restarts=[line for one in self.shops.values() for line in cast.restarts(one)],
            rollbacks=rollbacks,
            unfinished_seen=self.unfinished,
            decisions=decisions,
            accepted=self._accepted(),
            limits=[cast.LIMIT],
            outsiders=[Outsider(self.shops[n].instance, before[n], after[n]) for n in cast.OUTSIDE],
            pauses=self.pauses,
            releases={one.instance: cast.may_run(name) for name, one in self.shops.items()},
        )

    # -- what goes on meanwhile, each in a thread of its own

    def _beside(self) -> Iterator[Callable[[], None]]:
        yield lambda: self.monitoring.scrape(self._ending)
        for n in range(2):
            http = self._http("alertmanager", self.ports[n % len(self.ports)])
            chance = random.Random(f"{self.plan.seed}/sender{n}")
            yield lambda http=http, chance=chance: self.monitoring.send(http, chance, self._ending)  # type: ignore[misc]
        yield self._watch
        if self.plan.people:
            yield self._befall
            if self.chance.random() < 0.5:
                yield self._pause

    def _http(self, who: str, port: int = 0) -> Http:
        return Http(port or self.ports[0], self.installed.token_file(who))

    def _watch(self) -> None:
        http = self._http("reader")
        while not self._ending.wait(0.7):
            status, found = http.ask("/api/v1/rollbacks?limit=500")
            if status == 200:
                self.unfinished.append([r["instance"] for r in found["rollbacks"] if r["state"] != "ended"])

    def _befall(self) -> None:
        """Let the fickle alerts resolve, and deploy."""
        chance = random.Random(f"{self.plan.seed}/befall")
        events: list[tuple[float, Callable[[], None]]] = [
            *(
                (chance.uniform(0.2, 0.7), lambda name=name: self.monitoring.over.add(name))
                for name in cast.FICKLE
            ),  # type: ignore[misc]
            *(
                (chance.uniform(0.1, 0.9), lambda name=name: cast.deploy(self.shops[name], chance))  # type: ignore[misc]
                for name in cast.DEPLOYED
            ),
        ]
        begun = time.monotonic()
        for at, event in sorted(events, key=lambda one: one[0]):
            if not self._ending.wait(max(0.0, begun + at * self.plan.for_s - time.monotonic())):
                event()

    def _pause(self) -> None:
        chance = random.Random(f"{self.plan.seed}/pause")
        scope = chance.choice(["", f"rule {cast.LIMIT.rule}", f"service {cast.PLAIN[0]}"])
        http = self._http("operator", self.ports[-1])
        self._ending.wait(chance.uniform(0.1, 0.6) * self.plan.for_s)
        if insist(http, "/api/v1/pauses", {"scope": scope, "reason": "a person paused it"}, self._ending):
            begun = time.time()
            self._ending.wait(2)
            self.pauses.append(Pause(scope, begun, time.time()))
            insist(http, "/api/v1/pauses", {"all": True, "reason": "on it goes"}, self._ending, method="DELETE")

    # -- the thread that everything was started from

    def _until_it_runs(self) -> None:
        """Start everything; the first fault comes when all of it is there."""
        started, deadline = set(self.ports), time.monotonic() + _STARTS_WITHIN_S
        while started or self._workers() < len(WORKERS) * self.installed.more["workers"]:
            assert time.monotonic() < deadline, (
                f"not everything started: ports {started}, {self._workers()} workers"
            )
            self._tick(time.monotonic())
            started -= {port for port in started if self._http("reader", port).ask("/readyz")[0] == 200}
        begun = time.monotonic()
        spread = {name: begun + self.chance.uniform(0, 0.6 * self.plan.for_s) for name in cast.NAMES}
        self.monitoring.begins = spread

    def _workers(self) -> int:
        with self.redis.client() as client:
            return int(client.scard("rq:workers"))

    def _while_it_fails(self) -> None:
        begun = time.monotonic()
        times = self.chance.choice([0, 1, 1, 2]) if self.plan.outside else 0
        restarts = [begun + self.chance.uniform(0.2, 0.9) * self.plan.for_s for _ in range(times)]
        self.plan.failing.touch()
        while (now := time.monotonic()) < begun + self.plan.for_s or self._too_little_failed(now - begun):
            self._tick(now)
            if restarts and now >= min(restarts):
                restarts.remove(min(restarts))
                self.redis.kill()
                time.sleep(self.chance.uniform(0, 1.5))
                self.redis.start()
                self.redis_restarts += 1
        self.plan.failing.unlink()

    def _too_little_failed(self, after_s: float) -> bool:
        return self.killer.faults < self.plan.least and after_s < 4 * self.plan.for_s

    def _tick(self, now: float) -> None:
        for machine in self.machines:
            machine.keep(self.chance)
        self.killer.tick(now)
        time.sleep(0.05)

    def _settled(self) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
        """Wait until everything is over, and return what the API tells of it; in vain, what it tells at last."""
        http, deadline = self._http("reader"), time.monotonic() + self.plan.settles_s
        looked_at, calm, rollbacks, decisions = 0.0, 0, [], {}
        while (now := time.monotonic()) < deadline and calm < _CALM_LOOKS:
            self._tick(now)
            if now < looked_at + 0.5:
                continue
            looked_at = now
            status, found = http.ask("/api/v1/rollbacks?limit=500")
            if status == 200:
                rollbacks, decisions = found["rollbacks"], self._decisions(http)
                calm = calm + 1 if self._is_over(rollbacks, decisions) else 0
        return self._told(http, rollbacks), decisions

    def _is_over(self, rollbacks: list[dict[str, Any]], decisions: Mapping[str, Any]) -> bool:
        """Whether every alert was accepted and decided on, and no rollback waits for anything but time."""
        heard = self.monitoring.everything_was_heard()
        decided = all(one.fingerprint in decisions for one in self._accepted())
        waits = [r for r in rollbacks if r["state"] not in _OVER]
        if heard and decided and waits and all(r["reason"] in _LONG_WAITS for r in waits):
            self.monitoring.over.update(r["host"] for r in waits)
        return heard and decided and not waits

    def _told(self, http: Http, rollbacks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return rollbacks with their journals."""
        told = []
        for rollback in rollbacks:
            _, found = http.ask(f"/api/v1/rollbacks/{rollback['id']}")
            told.append({**rollback, "journal": (found or {}).get("journal", [])})
        return told

    def _decisions(self, http: Http) -> dict[str, list[dict[str, Any]]]:
        _, found = http.ask("/api/v1/decisions?limit=500")
        by_alert: dict[str, list[dict[str, Any]]] = {}
        for one in (found or {}).get("decisions", []):
            by_alert.setdefault(one["fingerprint"], []).append(one)
        return by_alert

    def _accepted(self) -> list[Accepted]:
        entries = {one.name: one for one in self.monitoring.alerts}
        return [
            Accepted(cast.fingerprint(entries[name]), self.shops[name].instance, frozenset({entries[name].rule}))
            for name in sorted(self.monitoring.accepted)
        ]


@contextlib.contextmanager
def _reached(plan: Plan, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Choose how hosts are reached: every third seed over SSH, where there is an sshd."""
    with contextlib.ExitStack() as running:
        if plan.seed % 3 == 0 and not plan.only:
            folder.mkdir()
            with contextlib.suppress(PartMissingError):
                ssh = running.enter_context(start_sshd(folder)).ssh
                known = {"key-file": ssh.key_file, "known-hosts": ssh.known_hosts, "port": ssh.port}
                yield "ssh", {"ssh": {"user": getpass.getuser(), **known}}
                return
        yield "local", {"connection": "local"}


def run(plan: Plan) -> Result:
    """Run one seed in the plan's folder, which is left with everything that was written."""
    folder, begun = Path(plan.folder), time.monotonic()
    (folder / "redis").mkdir(parents=True)
    plan.write()
    with (
        local_shops(folder, *cast.NAMES) as shops,
        valkey(folder / "redis", appendfsync="always") as redis,
        _reached(plan, folder / "ssh") as (name, way),
    ):
        this = Run(plan, redis, shops, way)
        history = this.go()
    result = _result(plan, this, history, name)
    result.seconds = round(time.monotonic() - begun, 1)
    (folder / "history.json").write_text(json.dumps(asdict(history), default=_plain, indent=1))
    (folder / "result.json").write_text(json.dumps(asdict(result), indent=1))
    return result


def _result(plan: Plan, this: Run, history: History, way: str) -> Result:
    log = Path(plan.folder) / LOG
    faults = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    changes, back = effects(history)
    ends: dict[str, int] = {}
    for one in history.rollbacks:
        name = one["outcome"] or f"{one['state']}: {one['reason']}"
        ends[name] = ends.get(name, 0) + 1
    return Result(
        seed=plan.seed,
        taste=plan.taste,
        way=way,
        servers=len(this.ports),
        faults=_counted([fault["kind"] for fault in faults]),
        kills=sum(fault["kind"].startswith("kill") for fault in faults) + _hits(this.killer.hits, "kill"),
        stops=sum(fault["kind"] == "stop" for fault in faults) + _hits(this.killer.hits, "stop"),
        redis_restarts=this.redis_restarts,
        posts=this.monitoring.posts,
        refused=this.monitoring.refused,
        accepted=len(history.accepted),
        rollbacks=len(history.rollbacks),
        ends=ends,
        effects=changes - back,
        ways_back=back,
        recoveries_s=recoveries(faults, history.rollbacks),
        violations=violations(history),
    )


def _hits(hits: list[Hit], kind: str) -> int:
    return sum(hit.kind == kind for hit in hits)


def _counted(words: list[str]) -> dict[str, int]:
    return {word: words.count(word) for word in sorted(set(words))}


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{value!r} cannot be written")


def main() -> int:
    """Run one seed and print what came of it as one line of JSON; 1 where an invariant did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument(
        "--over", type=json.loads, default={}, help="what of the seed's plan is otherwise, as JSON"
    )
    told = parser.parse_args()
    result = run(Plan.of(told.seed, told.folder, **told.over))
    print(json.dumps(asdict(result)))
    return 1 if result.violations else 0


if __name__ == "__main__":
    os.environ.pop("ROLLBACK_CONFIG", None)
    sys.exit(main())
