"""Sentinels make a replica the primary while alerts stream in and rollbacks are under way: nobody has to come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from testbed import shop
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.sentinel import Watched, watched
from testbed.wait import until

NAMES = tuple(f"shop{n}" for n in range(8))


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Mapping[str, LocalShop]]:
    """Make instances that run v1.3.0, and have v1.1.0 too: whoever goes back twice lands there."""
    with local_shops(tmp_path, *NAMES) as made:
        for one in made.values():
            shop.write_release(one.releases, "v1.1.0")
        yield made


@pytest.fixture
def redis_group(tmp_path: Path) -> Iterator[Watched]:
    """Run a primary with two replicas, watched by three Sentinels, set up as we ask for it."""
    with watched(tmp_path / "group", replicas=2, min_replicas_to_write="1") as group:
        yield group


@dataclass(slots=True)
class Sender:
    """Posts one notification after another; what is answered 5xx is sent again, as Alertmanager does."""

    installed: Installation
    bodies: Mapping[str, object]
    accepted: dict[str, int] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Send them all, each until it is accepted."""
        for name, notification in self.bodies.items():
            while name not in self.accepted:
                answer = self.installed.notify(notification)
                self.answers.append(answer.status)
                if answer.status == 202:
                    self.accepted[name] = len(self.answers)
                time.sleep(0.1)  # Alertmanager's pause between tries, shorter


def test_a_failover_under_load_loses_nothing_that_was_accepted_and_needs_nobody(
    tmp_path: Path, redis_group: Watched, many: Mapping[str, LocalShop]
) -> None:
    """The receiver answers 503 until there is a primary; every instance goes back, once, by the old workers."""
    inventory = local_inventory(**{name: one.entry("canary") for name, one in many.items()})
    more = {"numbers": {"group_interval_s": 1}, "redis": {**redis_group.settings, "wait_for_replicas": 1}}
    old = redis_group.primary
    installed = Installation(tmp_path / "installed", old.url, rules(), inventory, more=more)
    with installed.running() as (server, worker):
        sender = Sender(installed, {name: body(alert(one.labels())) for name, one in many.items()})
        sending = threading.Thread(target=sender.run)
        sending.start()
        try:
            until(lambda: len(sender.accepted) >= 3, within_s=20, what="some alerts are accepted")
            old.kill()
            redis_group.primary_other_than(old)
        finally:
            sending.join(timeout=60)
        assert set(sender.accepted) == set(NAMES)
        assert set(sender.answers) == {202, 503}, "while there is no primary the sender is told to come again"
        for name, one in many.items():
            until(lambda one=one: one.running() == "v1.2.0", within_s=60, what=f"{name} goes back")

        resolved = body(*(alert(one.labels(), status="resolved") for one in many.values()))
        until(lambda: installed.notify(resolved).status < 300, within_s=20, what="the resolves are taken")
        ended = installed.ended(count=len(NAMES), within_s=90)
        assert server.running()
        assert worker.running()
    assert sorted(r["instance"] for r in ended) == sorted(one.instance for one in many.values())
    assert {(r["outcome"], r["to"]) for r in ended} == {("recovered", "v1.2.0")}
    for one in many.values():
        assert set(one.restarts_file.read_text().split()) == {"releases/v1.2.0"}, "one switch, and never another"
