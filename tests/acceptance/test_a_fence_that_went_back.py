"""A failover that set Redis' clock and counter back: a host remembers a higher fence than any that is minted.

Whoever holds the lease mints one above it, and the rollback goes on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from testbed.alertmanager import alert, body
from testbed.installation import Installation
from testbed.local_shops import LocalShop
from testbed.paused import stops_at
from testbed.programs import Program
from testbed.stopping import STOPPED
from testbed.wait import until

BEFORE_IT_WENT_BACK = 4_000_000_000_000
"""A fence of a time, in milliseconds, that no clock here shows for decades."""
RAISED = BEFORE_IT_WENT_BACK + 1


def remember(canary: LocalShop) -> None:
    """Have the host remember what the forgotten primary had minted."""
    state = canary.folder / ".rollback"
    state.mkdir(exist_ok=True)
    (state / "fence").write_text(f"{BEFORE_IT_WENT_BACK} r-forgotten\n".ljust(96))


def rolled_back(
    local: Installation, canary: LocalShop, machine: Program, meanwhile: Callable[[], None] = lambda: None
) -> list[int]:
    """Roll the canary back, and return the fences of its steps."""
    with local.serving():
        assert local.notify(body(alert(canary.labels()))).status == 202
        meanwhile()
        until(lambda: canary.restarts() == 1, within_s=20, what="the canary went back")
        local.notify(body(alert(canary.labels(), status="resolved")))
        (rollback,) = local.ended()
        journal = local.rollback(rollback["id"])["journal"]
    assert (rollback["outcome"], canary.running()) == ("recovered", "v1.2.0")
    assert (canary.folder / ".rollback/fence").read_text().split() == [str(RAISED), rollback["id"]]
    assert machine.log().count("lease.fence_raised") == 1
    return [entry["fence"] for entry in journal if entry["kind"] == "done"]


def test_it_is_raised_before_a_host_is_changed(local: Installation, canary: LocalShop) -> None:
    """The look at the host shows it, and everything is done under the higher one."""
    remember(canary)
    with local.working() as machine:
        fences = rolled_back(local, canary, machine)
    assert set(fences) == {RAISED}


def test_it_is_raised_when_the_host_refuses(tmp_path: Path, local: Installation, canary: LocalShop) -> None:
    """The host learns of it between the intent and the switch: it refuses ours once, and takes the next."""

    def meanwhile() -> None:
        said = tmp_path / STOPPED
        until(lambda: said.exists() and said.read_text(), within_s=20, what="the job stands before the switch")
        assert canary.running() == "v1.3.0"
        remember(canary)
        os.kill(int(said.read_text()), signal.SIGCONT)

    with local.working(module=stops_at("switch.before", tmp_path)) as machine:
        fences = rolled_back(local, canary, machine, meanwhile)
    assert set(fences) == {RAISED}
