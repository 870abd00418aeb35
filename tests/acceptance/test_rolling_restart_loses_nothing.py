"""Every process is restarted, one after another, while alerts come in steadily: none is lost, none acts twice.

Two servers on one ledger, both told by a real Alertmanager, and two worker machines. Each is asked with SIGTERM
to stop, and ends in good order with nothing of it left; its place is then taken by a new one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from testbed.alertmanager import Alertmanager, alertmanager, receivers_config
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.programs import Program
from testbed.redis import Redis
from testbed.wait import until

# Ten services in trouble are not yet a storm.
SHOPS = tuple(f"shop{n:02}" for n in range(10))
SETTINGS = {"numbers": {"group_interval_s": 1, "unready_s": 0.5}}
EVERY_S = 1.2


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[dict[str, LocalShop]]:
    """Make a fleet of instances that run the bad release."""
    with local_shops(tmp_path, *SHOPS) as made:
        yield made


@pytest.fixture
def faces(tmp_path: Path, redis_server: Redis, fleet: dict[str, LocalShop]) -> tuple[Installation, Installation]:
    """Give two installations on one ledger, each with a port and tokens of its own."""
    inventory = local_inventory(**{name: shop.entry("canary") for name, shop in fleet.items()})
    one, other = (
        Installation(tmp_path / name, redis_server.url, rules(), inventory, more=SETTINGS)
        for name in ("one", "other")
    )
    return one, other


class Place:
    """Where one program runs, and the next one after it."""

    def __init__(self, start: Any) -> None:
        self._start = start
        self._running = contextlib.ExitStack()
        self.program: Program = self._running.enter_context(start())

    def restart(self) -> int:
        """Stop it as a deployment does, start the next, and return how it ended."""
        code = self.program.terminate(within_s=60)
        self._running.close()
        self.program = self._running.enter_context(self._start())
        return code

    def close(self) -> None:
        """End it."""
        self._running.close()


class Sender:
    """Tells Alertmanager of one more instance in trouble every so often, until all are."""

    def __init__(self, am: Alertmanager, fleet: dict[str, LocalShop]) -> None:
        self._am = am
        self._fleet = fleet
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        for shop in self._fleet.values():
            self._am.post(shop.labels())
            if self._over.wait(EVERY_S):
                return

    def has_told_all(self) -> bool:
        """Whether every instance's alert was sent."""
        return not self._thread.is_alive()


def test_every_process_is_restarted_under_steady_alerts(
    tmp_path: Path, faces: tuple[Installation, Installation], fleet: dict[str, LocalShop]
) -> None:
    """Each instance is switched once and restarted once, and every alert has a decision."""
    one, other = faces
    config = receivers_config(
        [(face.receiver, face.token_file("alertmanager")) for face in faces], group_by=("service",)
    )
    with contextlib.ExitStack() as running:
        places = []
        for start in (one.serving, other.serving, lambda: one.working("first"), lambda: other.working("second")):
            places.append(Place(start))
            running.callback(places[-1].close)
        am = running.enter_context(alertmanager(tmp_path / "alertmanager", config))
        with Sender(am, fleet) as sender:
            codes = [place.restart() for place in places]
            until(sender.has_told_all, within_s=60, what="every alert was sent")
        until(lambda: {shop.running() for shop in fleet.values()} == {"v1.2.0"}, within_s=60, what="all went back")
        fingerprints = {alert["labels"]["service"]: alert["fingerprint"] for alert in am.alerts()}
        for shop in fleet.values():
            am.post(shop.labels(), resolved=True)
        rollbacks = one.ended(count=len(fleet), within_s=90)
        journals = [one.rollback(found["id"])["journal"] for found in rollbacks]
        decisions = {name: other.decisions(fingerprint) for name, fingerprint in fingerprints.items()}

    assert codes == [0, 0, 0, 0]
    assert sorted(found["instance"] for found in rollbacks) == sorted(shop.instance for shop in fleet.values())
    assert {found["outcome"] for found in rollbacks} == {"recovered"}, rollbacks
    for journal in journals:
        assert sum(e["kind"] == "done" and e["step_kind"] == "switch" for e in journal) == 1, journal
    assert {shop.restarts() for shop in fleet.values()} == {1}
    assert set(decisions) == set(fleet)
    assert all(decisions.values()), [name for name, found in decisions.items() if not found]
