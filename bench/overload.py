"""What a storm does: bodies of 20,000 alerts, and 500 bodies a second, to the server's memory and to Redis.

No worker runs. How long Redis was deaf is its own slow log: the longest single command, whoever sent it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
from testbed.installation import Installation
from testbed.local_shops import local_inventory, rules
from testbed.redis import valkey

from bench.bodies import AS_INSTALLED, FRESH, body
from bench.load import wrk
from bench.memory import peak_mb, reset_peak
from bench.receiving import SHOP

STORM = 20_000
AT_ONCE = 8
RATE = 500
SIZES = (1, 10, 100)
_SECONDS = 8
_CONNECTIONS = 64
_SHARES = (60, 30, 10)
"""How many of a hundred bodies have each of `SIZES` alerts: most notifications are small."""
_LOGGED_US = 1_000


@dataclass(frozen=True, slots=True)
class Storm:
    """One line of the table. `longest_ms` is Redis' longest command; `refused` were answered 503."""

    what: str
    answered: int
    refused: int
    p50_s: float
    slowest_s: float
    longest_ms: float
    peak_mb: float


def overload(folder: Path) -> list[Storm]:
    """Measure each kind of storm on a server of its own, so that each has its own peak."""
    folder.mkdir(parents=True)
    return [
        _one_body(folder / "new", "new", body(STORM, "ShopFails")),
        _one_body(folder / "unmatched", "unmatched", body(STORM, "Unheard")),
        _one_body(folder / "repeated", "repeated", body(STORM, "ShopFails"), before=1),
        _at_once(folder / "at-once"),
        _many(folder / "many"),
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    installation: Installation
    serving: int
    client: redis.Redis

    def post(self, content: bytes) -> tuple[int, float]:
        """Send a body; returns the status and the seconds it took. A connection that breaks is a refusal."""
        connection = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=60)
        token = self.installation.token_file("alertmanager").read_text().strip()
        began = time.perf_counter()
        try:
            connection.request("POST", "/api/v1/alertmanager", content, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, time.perf_counter() - began
        except (ConnectionError, http.client.HTTPException):  # refused while it was still sending
            return 503, time.perf_counter() - began
        finally:
            connection.close()

    def begin(self) -> None:
        """Count from here."""
        self.client.slowlog_reset()
        reset_peak(self.serving)

    def storm(self, what: str, answered: float, refused: float, seconds: tuple[float, float]) -> Storm:
        """Say what became of it; `seconds` are the middle answer's and the slowest's."""
        logged = [entry["duration"] for entry in self.client.slowlog_get(1000)]
        found = Storm(
            what,
            int(answered),
            int(refused),
            *seconds,
            max(logged, default=_LOGGED_US) / 1000,
            peak_mb(self.serving),
        )
        print(f"  {found}", flush=True)
        return found


@contextlib.contextmanager
def _place(folder: Path) -> Iterator[_Place]:
    folder.mkdir()
    with (
        valkey(folder, slowlog_log_slower_than=str(_LOGGED_US), slowlog_max_len="1000") as server,
        redis.Redis(port=server.port) as client,
    ):
        made = Installation(
            folder / "installation", server.url, rules(), local_inventory(shop=SHOP), more=AS_INSTALLED
        )
        with made.serving() as serve:
            yield _Place(made, serve.family()[-1], client)


def _one_body(folder: Path, kind: str, text: str, *, before: int = 0) -> Storm:
    content = text.encode()
    with _place(folder) as place:
        for _ in range(before):
            place.post(content)
        place.begin()
        status, took = place.post(content)
        return place.storm(f"a body of {STORM:,} alerts, {kind}", 1, status == 503, (took, took))


def _at_once(folder: Path) -> Storm:
    text = body(STORM, "ShopFails", fresh=True)
    bodies = [_numbered(text, n) for n in range(AT_ONCE)]
    with _place(folder) as place, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        place.begin()
        answers = list(pool.map(place.post, bodies))
        refused = sum(status == 503 for status, _ in answers)
        took = sorted(seconds for _, seconds in answers)
        what = f"{AT_ONCE} bodies of {STORM:,} at once, new"
        return place.storm(what, len(answers), refused, (took[len(took) // 2], took[-1]))


def _numbered(text: str, body_no: int) -> bytes:
    first, *rest = text.split(FRESH)
    return "".join([first, *(f"{body_no:04x}{n:012x}{piece}" for n, piece in enumerate(rest))]).encode()


def _many(folder: Path) -> Storm:
    with _place(folder) as place:
        files = [folder / f"{size}.json" for size in SIZES]
        for file, size in zip(files, SIZES, strict=True):
            file.write_text(body(size, "ShopFails", fresh=True))
        place.begin()
        made = place.installation
        token = made.token_file("alertmanager").read_text().strip()
        shares = dict(zip(files, _SHARES, strict=True))
        ran = wrk(made.receiver, token, shares, seconds=_SECONDS, connections=_CONNECTIONS, rate=RATE)
        what = f"{ran['requests'] / ran['seconds']:.0f} of {RATE} bodies a second for {_SECONDS} s, new"
        return place.storm(what, ran["requests"], ran["refused"], (ran["p50_ms"] / 1e3, ran["most_ms"] / 1e3))
