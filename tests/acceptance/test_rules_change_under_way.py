"""Rules that change while there is work: a broken file changes nothing, a changed rule stops what it opened."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testbed.commands import approver, does
from testbed.guarded import Guarded, guarded, rule_for
from testbed.local_shops import together
from testbed.wait import stays, until

BROKEN = "version: rules/v1\nrules:\n  - nam: typo\n"
BUSY = tuple(f"busy-{number}" for number in range(6))
RULES = together(rule_for("Acts"), rule_for("Asks", mode="ask"))
CHANGED = together(rule_for("Acts"), rule_for("Asks", mode="ask", verify={"steady": "2s"}))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation with a rule that acts and one that asks."""
    with guarded(tmp_path_factory.mktemp("changing"), (*BUSY, "waits"), RULES) as running:
        yield running


def write(site: Guarded, text: str) -> None:
    """Put a rule file in place of the present one, whole, and have every process read it."""
    file: Path = site.installed.folder / "rules.yaml"
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.rename(file)
    for process in (site.server, site.worker):
        os.kill(process.pid, signal.SIGHUP)


def metric(site: Guarded, name: str) -> float:
    """Return one metric of the server."""
    lines = site.installed.ask("/metrics", token=None).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"rollback_controller_{name} "))


def test_a_broken_file_under_load_keeps_the_rules_in_force(site: Guarded) -> None:
    """Alerts come while it is read, again and again: each is answered, and each goes back by the old rule."""
    with ThreadPoolExecutor(max_workers=2) as senders:
        sent = [senders.submit(site.fires, name, "Acts") for name in BUSY]
        for _ in range(3):
            write(site, BROKEN)
        entries = [one.result() for one in sent]
    until(lambda: metric(site, "rules_last_reload_successful") == 0, within_s=20, what="the broken file was read")
    assert metric(site, "rules") == 2
    for name in BUSY:
        site.goes_back(name)
    site.resolves(*entries)
    for name in BUSY:
        site.becomes(name, state="ended", outcome="recovered")
    assert "rules.yaml:3:" in does(site.installed, "status")
    write(site, RULES)
    until(lambda: metric(site, "rules_last_reload_successful") == 1, within_s=20, what="the good file was read")


def test_what_waits_under_a_rule_that_changed_is_not_carried_out(site: Guarded) -> None:
    """Not even by a person's yes, which was for the rule as it was; with that rule back, it is."""
    entry = site.fires("waits", "Asks")
    ident = site.becomes("waits", state="waiting", reason="ask-mode")["id"]
    before = site.worker.log().count("rules.loaded")
    write(site, CHANGED)
    until(lambda: site.worker.log().count("rules.loaded") > before, within_s=20, what="the workers have read it")
    does(site.installed, "approve", ident, **approver(site.installed))
    site.becomes("waits", state="waiting", reason="rule-unknown")
    stays(lambda: site.untouched("waits"), for_s=1, what="nothing is done under a rule that is no more")
    assert "changed or taken away" in site.why(ident)

    write(site, RULES)
    assert site.recovers("waits", entry)["id"] == ident
