"""What a crash of Redis costs: notifications answered 202, counted again after kill -9, for each way to set it up.

`make durability` prints the table of docs/how-to/redis.md. What is killed is a process: the kernel lives, and
writes what Redis had handed to it. A machine that loses power is not imitated, and not measured.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import redis
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import local_inventory, rules
from testbed.programs import free_port
from testbed.redis import Redis, debian_redis
from testbed.sentinel import watched

SENDERS = 4
LOAD_S = 2.0
"""Redis is killed so long after the load began."""
AFTER_S = 1.0
"""The load goes on for so long after the first alert that is accepted again."""
DOWN_MOST_S = 60.0
CUT_OFF_S = 0.5


@dataclass(slots=True)
class Load:
    """A steady stream of alerts, each new; what is refused is sent again. `accepted`: fingerprint → when."""

    installed: Installation
    accepted: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, number: int) -> None:
        """Post one alert after another over one connection until it is over."""
        token = self.installed.token_file("alertmanager").read_text().strip()
        head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        to = http.client.HTTPConnection("127.0.0.1", self.installed.port, timeout=10)
        count = 0
        while not self.over.is_set():
            labels = {"alertname": "ShopFails", "service": "shop", "instance": f"i{number}-{count}"}
            notification = body(alert(labels))
            to.request("POST", "/api/v1/alertmanager", json.dumps(notification).encode(), head)
            answer = to.getresponse()
            answer.read()
            if answer.status == 202:
                self.accepted[notification["alerts"][0]["fingerprint"]] = time.monotonic()
                count += 1
            else:
                self.refused += 1
                self.over.wait(0.02)
        to.close()


@dataclass(frozen=True, slots=True)
class Round:
    """One kill: how many were accepted, how many of them are gone, of how long, and the longest pause."""

    accepted: int
    lost: int
    lost_s: float
    refusing_s: float


Stage = tuple[dict[str, Any], str, Callable[[], Redis]]
"""What the settings say of Redis, the URL of the primary, and what kills it and gives who is primary then."""


@contextlib.contextmanager
def alone(folder: Path, **options: str) -> Iterator[Stage]:
    """One server, started anew with what it kept."""
    with debian_redis(folder, **options) as server:

        def crash() -> Redis:
            server.kill()
            server.start()
            return server

        yield {"url": server.url}, server.url, crash


@contextlib.contextmanager
def group(folder: Path, settings: dict[str, Any], *, cut_off: bool = False, **options: str) -> Iterator[Stage]:
    """Run a primary with two replicas and three Sentinels; the primary stays dead.

    `cut_off`: the replicas lose their connection half a second before.
    """
    with watched(folder, replicas=2, **options) as found:

        def crash() -> Redis:
            old = found.primary
            if cut_off:
                _cut_off([server for server in found.servers if server is not old])
            old.kill()
            return found.primary_other_than(old)

        yield {**found.settings, **settings}, found.primary.url, crash


HEAD = """\
| Redis is set to | kills | accepted | lost | most by one kill | of a time of | none accepted for |
|---|---|---|---|---|---|---|"""


def _cut_off(replicas: list[Redis]) -> None:
    """Leave the replicas with what they have: they follow a port on which nobody listens."""
    for replica in replicas:
        with replica.client() as client:
            client.replicaof("127.0.0.1", free_port())
    time.sleep(CUT_OFF_S)


LEAST = {"min_replicas_to_write": "1", "min_replicas_max_lag": "1"}

WAYS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Stage]]] = {
    "appendfsync always": lambda folder: alone(folder, appendfsync="always"),
    "appendfsync everysec": lambda folder: alone(folder, appendfsync="everysec"),
    "no append-only file": lambda folder: alone(folder, appendonly="no"),
    "failover": lambda folder: group(folder, {}),
    "failover, min-replicas-to-write 1": lambda folder: group(folder, {}, **LEAST),
    "failover, wait-for-replicas 1": lambda folder: group(folder, {"wait_for_replicas": 1}),
    "failover, replicas cut off": lambda folder: group(folder, {}, cut_off=True),
    "failover, replicas cut off, min-replicas-to-write 1": lambda folder: group(folder, {}, cut_off=True, **LEAST),
    "failover, replicas cut off, wait-for-replicas 1": lambda folder: group(
        folder, {"wait_for_replicas": 1}, cut_off=True
    ),
}


def one_round(way: str) -> Round:
    """Kill Redis once under load, and count."""
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rollback-durability-")))
        (folder / "redis").mkdir()
        settings, url, crash = running.enter_context(WAYS[way](folder / "redis"))
        more = {"redis": settings, "log": {"level": "error"}}
        installed = Installation(folder / "installed", url, rules(), local_inventory(), more=more)
        running.enter_context(installed.serving())
        load = Load(installed)
        threads = [threading.Thread(target=load.send, args=(n,)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        time.sleep(LOAD_S)
        try:
            primary = crash()
            _wait_for_more(load)
            time.sleep(AFTER_S)
        finally:
            load.over.set()
            for thread in threads:
                thread.join()
        lost = _lost(load, primary)
        lost_s = max(lost) - min(lost) if lost else 0.0
        gap = max((b - a for a, b in pairwise(sorted(load.accepted.values()))), default=0.0)
        return Round(len(load.accepted), len(lost), lost_s, gap)


def _wait_for_more(load: Load) -> None:
    count, deadline = len(load.accepted), time.monotonic() + DOWN_MOST_S
    while len(load.accepted) <= count + SENDERS:
        assert time.monotonic() < deadline, f"nothing was accepted for {DOWN_MOST_S:g} s"
        time.sleep(0.02)


def _lost(load: Load, primary: Redis) -> list[float]:
    """Return when each alert was accepted whose episode is not there."""
    fingerprints = list(load.accepted)
    with redis.Redis(port=primary.port) as client, client.pipeline(transaction=False) as pipe:
        for fingerprint in fingerprints:
            pipe.exists(f"rc:episode:{fingerprint}")
        there = pipe.execute()
    return [load.accepted[f] for f, found in zip(fingerprints, there, strict=True) if not found]


def main() -> int:
    """Measure every way, or those named, and print one row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--way", action="append", choices=list(WAYS))
    asked = parser.parse_args()
    print(HEAD, flush=True)
    for way in asked.way or WAYS:
        rounds = [one_round(way) for _ in range(asked.rounds)]
        print(
            f"| {way} | {len(rounds)} | {sum(r.accepted for r in rounds)} | {sum(r.lost for r in rounds)} | "
            f"{max(r.lost for r in rounds)} | {max(r.lost_s for r in rounds):.3f} s | "
            f"{min(r.refusing_s for r in rounds):.1f} to {max(r.refusing_s for r in rounds):.1f} s |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
