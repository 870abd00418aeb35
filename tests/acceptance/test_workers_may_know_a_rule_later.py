"""Rules reach the servers before the workers: what was accepted under them waits for a worker that knows them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testbed.commands import does
from testbed.guarded import BRISK, Guarded, rule_for
from testbed.installation import Installation
from testbed.local_shops import local_inventory, local_shops
from testbed.people import people
from testbed.redis import valkey

NUMBERS = {**BRISK, "rule_spreads_s": 4, "due_first_s": 1, "due_max_s": 2}
OLD = rule_for("Trouble")
NEW = rule_for("Trouble", verify={"steady": "2s"})
WAITS = "alert waits for a worker that knows its rule"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Guarded]:
    """Run a server with the new rules and, with settings of its own, a worker machine with the old ones."""
    with contextlib.ExitStack() as running:
        shops = running.enter_context(local_shops(tmp_path, "shop"))
        told = running.enter_context(people(tmp_path))
        (tmp_path / "redis").mkdir()
        redis = running.enter_context(valkey(tmp_path / "redis"))
        inventory = local_inventory(shop=shops["shop"].entry("canary"))
        more = {"numbers": NUMBERS, "notify": told.channels}
        installed = Installation(tmp_path / "installed", redis.url, NEW, inventory, more=more)
        behind = replace(installed, folder=tmp_path / "behind", rules=OLD)
        server = running.enter_context(installed.serving())
        worker = running.enter_context(behind.working())
        yield Guarded(installed, shops, told, server, worker)


def write(folder: Path, rules: str) -> None:
    """Put a rule file in place of the present one, whole."""
    beside = folder / "rules.new"
    beside.write_text(rules)
    beside.rename(folder / "rules.yaml")


def waits_for_longer_than_files_need(site: Guarded) -> dict[str, object]:
    """Have an alert fire under the rule that the workers do not know, until people are told; return it."""
    entry = site.fires("shop", "Trouble")
    site.people.hear("Trouble", "rule-unknown")
    assert WAITS in does(site.installed, "status")
    assert site.installed.decisions(str(entry["fingerprint"])) == []
    assert site.untouched("shop")
    return entry


def test_a_rule_that_workers_learn_late_is_carried_out(site: Guarded) -> None:
    """The alert was accepted longer ago than a file may take: it waits, and nobody has to send it again."""
    entry = waits_for_longer_than_files_need(site)
    write(site.installed.folder.parent / "behind", NEW)
    os.kill(site.worker.pid, signal.SIGHUP)
    site.recovers("shop", entry)
    assert WAITS not in does(site.installed, "status")


def test_one_machine_that_knows_the_rule_is_enough(site: Guarded) -> None:
    """Whoever does not know it leaves it for the others, though its bell came to them, also once it is opened."""
    entry = waits_for_longer_than_files_need(site)
    with site.installed.working("ahead"):
        site.recovers("shop", entry)


def test_rules_that_are_taken_back_leave_nothing_waiting(site: Guarded) -> None:
    """No server goes by the new rule any more: it ends with a reason, and the rule that is in force is asked."""
    entry = waits_for_longer_than_files_need(site)
    write(site.installed.folder, OLD)
    os.kill(site.server.pid, signal.SIGHUP)
    site.recovers("shop", entry)
    reasons = [one["reason"] for one in site.installed.decisions(str(entry["fingerprint"]))]
    assert sorted(reasons) == ["allowed", "rule-changed"]
    assert WAITS not in does(site.installed, "status")
