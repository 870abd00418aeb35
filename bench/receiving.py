"""How many notifications are made durable and answered, beside how many Debian's webhook takes.

No worker runs: what is rung for stays in the queue, which is emptied between the rows.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.installation import Installation
from testbed.local_shops import local_inventory, rules
from testbed.parts import program
from testbed.programs import accepts, free_port, started
from testbed.redis import valkey
from testbed.wait import until

from bench.bodies import AS_INSTALLED, body
from bench.load import Load, load

SIZES = (1, 10, 100, 1000)
KINDS = ("new", "repeated", "unmatched")
PEER_SIZE = 100
_SECONDS = 4
_ROUNDS = 5
_TOKEN = "a-token-of-24-characters"
SHOP = {
    "releases": "/opt/shop/releases",
    "current": "/opt/shop/current",
    "restart": {"marker": "/opt/shop/restart"},
    "hosts": [{"name": "web1", "address": "127.0.0.1"}],
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    alerts: int
    kind: str
    fsync: str
    load: Load


@dataclass(frozen=True, slots=True)
class Beside:
    """Ours and webhook in turns: the median of each, and of the ratio of each turn."""

    kind: str
    ours: float
    webhook: float
    ratio: float


def receiving(folder: Path) -> tuple[list[Row], list[Beside], str]:
    """Measure every size and kind, then 100 alerts side by side; also returns the server's version."""
    bodies = _bodies(folder)
    with _receiver(folder / "everysec", "everysec") as (ours, version):
        rows = [_row(ours, bodies, size, kind, "everysec") for kind in KINDS for size in SIZES]
        with _webhook(folder) as webhook:
            beside = [
                _beside(ours, webhook, bodies[PEER_SIZE, kind], kind) for kind in ("repeated", "unmatched", "new")
            ]
    with _receiver(folder / "always", "always") as (ours, _):
        rows += [_row(ours, bodies, PEER_SIZE, kind, "always") for kind in KINDS]
    return rows, beside, version


@dataclass(frozen=True, slots=True)
class _Place:
    installation: Installation
    empty: Callable[[], object]

    def load(self, file: Path, seconds: int) -> Load:
        """Send a body to the receiver, whose ledger is empty before."""
        self.empty()
        token = self.installation.token_file("alertmanager").read_text().strip()
        self.installation.notify(file.read_bytes().replace(b"FINGERPRINT", b"0"))  # so that `repeated` is
        return load(self.installation.receiver, token, file, seconds)


@contextlib.contextmanager
def _receiver(folder: Path, fsync: str) -> Iterator[tuple[_Place, str]]:
    folder.mkdir()
    with valkey(folder, appendfsync=fsync) as server, server.client() as client:
        made = Installation(
            folder / "installation", server.url, rules(), local_inventory(shop=SHOP), more=AS_INSTALLED
        )
        with made.serving():
            info = client.info("server")
            yield _Place(made, client.flushall), f"Valkey {info.get('valkey_version') or info['redis_version']}"


@contextlib.contextmanager
def _webhook(folder: Path) -> Iterator[str]:
    """Start Debian's webhook with one hook that compares a header and runs /bin/true.

    Its default answers before the command has run, and that is its fastest: nothing is kept or waited for.
    """
    wanted = {
        "type": "value",
        "value": f"Bearer {_TOKEN}",
        "parameter": {"source": "header", "name": "Authorization"},
    }
    hook = {"id": "alerts", "execute-command": "/bin/true", "trigger-rule": {"match": wanted}}
    hooks, port = folder / "hooks.json", free_port()
    hooks.write_text(json.dumps([hook]))
    argv = [program("webhook"), "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)]
    with started("webhook", argv, folder) as peer:
        until(lambda: peer.running() and _open(port), within_s=10, what="webhook listens")
        url = f"http://127.0.0.1:{port}/hooks/alerts"
        _refuses_strangers(url)
        yield url


def _open(port: int) -> bool:
    try:
        return accepts(port)
    except OSError:
        return False


def _refuses_strangers(url: str) -> None:
    """See that the hook asks for its header; webhook answers 200 all the same, with other words."""
    with urllib.request.urlopen(urllib.request.Request(url, data=b"{}", method="POST"), timeout=5) as answer:
        assert b"not satisfied" in answer.read(), "webhook let a stranger in: the comparison would mean nothing"


def _bodies(folder: Path) -> dict[tuple[int, str], Path]:
    files = {}
    for size in SIZES:
        for kind in KINDS:
            name = "Unheard" if kind == "unmatched" else "ShopFails"
            file = files[size, kind] = folder / f"{kind}-{size}.json"
            file.write_text(body(size, name, fresh=kind == "new"))
    return files


def _row(place: _Place, bodies: dict[tuple[int, str], Path], size: int, kind: str, fsync: str) -> Row:
    row = Row(size, kind, fsync, place.load(bodies[size, kind], _SECONDS))
    posts = row.load.per_s
    print(f"  {fsync:9} {kind:9} {size:4} alerts: {posts:7.0f} POSTs/s {posts * size:9.0f} alerts/s", flush=True)
    return row


def _beside(ours: _Place, webhook: str, file: Path, kind: str) -> Beside:
    turns = [
        (ours.load(file, _SECONDS - 1).per_s, load(webhook, _TOKEN, file, _SECONDS - 1).per_s)
        for _ in range(_ROUNDS)
    ]
    ratios = [mine / theirs for mine, theirs in turns]
    mine, theirs = (statistics.median(side) for side in zip(*turns, strict=True))
    print(
        f"  {kind:9} {PEER_SIZE} alerts, in turns: ours {mine:.0f}, webhook {theirs:.0f} POSTs/s; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )
    return Beside(kind, mine, theirs, statistics.median(ratios))
