"""Everything is killed at random moments, again and again; every alert still ends in one switch."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.programs import Program
from testbed.redis import Redis
from testbed.wait import until

SHORT = {
    "call_timeout_s": 2,
    "lease_ttl_s": 3,
    "lease_renew_s": 0.5,
    "lease_renew_timeout_s": 0.5,
    "lease_lost_s": 2,
    "reconcile_every_s": 0.5,
    "due_first_s": 1,
    "group_interval_s": 1,
}
"""Numbers that agree with each other as the usual ones do, only shorter: more deaths in the same time."""

SHOPS = tuple(f"shop{n}" for n in range(8))
KILLS = 25


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[dict[str, LocalShop]]:
    """Make a fleet of instances that run the bad release."""
    with local_shops(tmp_path, *SHOPS) as made:
        yield made


def kill_now_and_then(machine: Program, chance: random.Random, pauses: threading.Event) -> int:
    """Kill processes of a worker machine below its supervisor, one at a time, at random moments."""
    killed = 0
    for _ in range(KILLS):
        pauses.wait(chance.uniform(0.05, 0.5))
        below = [pid for pid in machine.family() if pid != machine.pid]
        if below:
            with contextlib.suppress(AssertionError):  # it ended by itself just now
                machine.kill(chance.choice(below))
                killed += 1
    return killed


@pytest.mark.parametrize("seed", [1, 2])
def test_every_alert_ends_in_one_switch(
    tmp_path: Path, redis_server: Redis, fleet: dict[str, LocalShop], seed: int
) -> None:
    """Nothing accepted is lost, nothing happens twice: each instance is switched once, to the old release."""
    installed = Installation(
        tmp_path / "installed",
        redis_server.url,
        rules(),
        local_inventory(**{name: shop.entry("canary") for name, shop in fleet.items()}),
        more={"numbers": SHORT},
    )
    firing = [alert(shop.labels()) for shop in fleet.values()]
    resolved = [alert(shop.labels(), status="resolved") for shop in fleet.values()]
    with installed.serving(), installed.working("first") as first, installed.working("second"):
        assert installed.notify(body(*firing)).status == 202
        assert kill_now_and_then(first, random.Random(seed), threading.Event()) > 0
        installed.notify(body(*firing))
        until(lambda: {shop.running() for shop in fleet.values()} == {"v1.2.0"}, within_s=90, what="all went back")
        installed.notify(body(*resolved))
        rollbacks = installed.ended(count=len(fleet), within_s=120)
        journals = {one["id"]: installed.rollback(one["id"])["journal"] for one in rollbacks}

    assert {r["instance"] for r in rollbacks} == {shop.instance for shop in fleet.values()}
    assert [r["outcome"] for r in rollbacks] == ["recovered"] * len(fleet), rollbacks
    for journal in journals.values():
        switches = [e for e in journal if e["kind"] == "done" and e["step_kind"] == "switch"]
        assert len(switches) == 1


def test_workers_keep_their_rules_when_the_file_breaks(
    tmp_path: Path, local: Installation, canary: LocalShop
) -> None:
    """A rule file that is broken after the start takes no rules away, not even from workers started anew."""
    with local.serving(), local.working() as machine:
        (local.folder / "rules.yaml").write_text("rules: [}")
        machine.kill(*[pid for pid in machine.family() if pid != machine.pid])
        assert local.notify(body(alert(canary.labels()))).status == 202
        until(lambda: canary.running() == "v1.2.0", within_s=30, what="the canary goes back")
        local.notify(body(alert(canary.labels(), status="resolved")))
        (rollback,) = local.ended(within_s=60)
    assert rollback["outcome"] == "recovered"
    assert "rules.not_loaded" in machine.log()
