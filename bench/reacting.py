"""How long it takes from an alert to the first change: a POST is sent, and a link on this machine switches.

Each rollback is a whole one, of an instance of its own: resolved, opened, planned, committed, switched, restarted
(a marker file), seen healthy. The next alert is sent once the one before is through and the workers are idle.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.redis import valkey
from testbed.wait import until

from bench.bodies import AS_INSTALLED, alert, just_now, notification
from bench.memory import Size, sizes

ROLLBACKS = 120
_WARM_UP = 5
_LOOK_EVERY_S = 0.0003
_GIVE_UP_S = 10
_IDLE_S = 0.05
_VERIFY = {"healthy-within": "20s", "steady": "0s", "cleared-within": "1ms"}
"""Ends each rollback in the stretch that changed it: none is looked at while the next is measured."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """The times of all rollbacks under one fsync policy, in ms, sorted: to the answer and to the change."""

    fsync: str
    answered: tuple[float, ...]
    changed: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return the time that so large a share of the rollbacks kept to the change."""
        return self.changed[min(int(len(self.changed) * share), len(self.changed) - 1)]


def reacting(folder: Path, fsync: str, count: int = ROLLBACKS) -> Reaction:
    """Measure `count` rollbacks, one after the other."""
    names = [f"shop{n}" for n in range(count + _WARM_UP)]
    with _system(folder, fsync, names) as (made, shops, _):
        times = [_alone(made, shop) for shop in shops.values()][_WARM_UP:]
    reaction = Reaction(fsync, tuple(sorted(t[0] for t in times)), tuple(sorted(t[1] for t in times)))
    shown = ", ".join(f"p{share * 100:.0f} {reaction.quantile(share):.1f} ms" for share in (0.5, 0.95, 0.99))
    print(f"  {fsync:9} POST to first change over {count} rollbacks: {shown}", flush=True)
    return reaction


def remembering(folder: Path) -> list[Size]:
    """Measure the memory of every process while a rollback is under way."""
    with _system(folder, "everysec", ["slow"], ["sleep", "2"]) as (made, shops, pids):
        shop = shops["slow"]
        _react(made, shop)
        found = sizes(**pids)
        until(lambda: _over(made, shop), within_s=20, what="the slow rollback is over")
    return found


@contextlib.contextmanager
def _system(
    folder: Path, fsync: str, names: list[str], restart: list[str] | None = None
) -> Iterator[tuple[Installation, dict[str, LocalShop], dict[str, int]]]:
    folder.mkdir()
    with valkey(folder, appendfsync=fsync) as server, local_shops(folder / "shops", *names) as shops:
        inventory = local_inventory(**{name: _entry(shop, restart) for name, shop in shops.items()})
        more = {**AS_INSTALLED, "policy": {"storm": {"services": len(names)}}}  # each is one of a storm else
        made = Installation(folder / "installation", server.url, rules(verify=_VERIFY), inventory, more=more)
        with made.running() as (serving, working), server.client() as client:
            until(lambda: client.scard("rq:workers") == 2, within_s=20, what="both workers wait for work")
            until(lambda: made.ask("/readyz").status == 200, within_s=10, what="the server is ready")
            valkey_pid = client.info("server")["process_id"]
            yield made, shops, {"server": serving.pid, "supervisor": working.pid, "valkey": valkey_pid}


def _react(made: Installation, shop: LocalShop) -> tuple[float, float]:
    """Send one alert; return the ms to the answer and to the change, from before the first byte is sent."""
    request = _request(made, shop)
    with socket.create_connection(("127.0.0.1", made.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(0.01)  # the server has accepted it: Alertmanager keeps its connections
        sent_at = time.perf_counter()
        connection.sendall(request)
        answered_at = changed_at = 0.0
        while not (answered_at and changed_at):
            readable = not answered_at and select.select([connection], [], [], 0)[0]
            now = time.perf_counter()
            if readable:
                answered_at, answer = now, connection.recv(65536)
                assert answer.startswith(b"HTTP/1.1 202"), answer
            if not changed_at and shop.running() == "v1.2.0":
                changed_at = now
            assert now - sent_at < _GIVE_UP_S, f"{shop.name}: no change; see {made.folder}"
            time.sleep(_LOOK_EVERY_S)
    return (answered_at - sent_at) * 1000, (changed_at - sent_at) * 1000


def _entry(shop: LocalShop, restart: list[str] | None) -> dict[str, Any]:
    how = {"command": restart} if restart else {"marker": str(shop.folder / "restart")}
    return shop.entry("canary", restart=how)


def _alone(made: Installation, shop: LocalShop) -> tuple[float, float]:
    """React, and return once the rollback is through."""
    times = _react(made, shop)
    until(lambda: _over(made, shop), within_s=20, what=f"the rollback of {shop.name} is over")
    time.sleep(_IDLE_S)
    return times


def _over(made: Installation, shop: LocalShop) -> bool:
    found = made.ask(f"/api/v1/rollbacks?service={shop.name}").json["rollbacks"]
    return bool(found) and found[0]["state"] in ("ended", "held")


def _request(made: Installation, shop: LocalShop) -> bytes:
    fingerprint = shop.name.encode().hex()
    body = notification([alert(shop.labels(severity="critical"), fingerprint, just_now())]).encode()
    token = made.token_file("alertmanager").read_text().strip()
    head = (
        f"POST /api/v1/alertmanager HTTP/1.1\r\nHost: 127.0.0.1:{made.port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
