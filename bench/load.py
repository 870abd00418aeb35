"""Runs wrk against one address, for a bounded time, and reads what it counted."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from testbed.parts import program

CONNECTIONS = 8
_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk counted; `per_s` are the requests that were answered well."""

    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int
    """How many were answered 503: overload is answered so, and Alertmanager sends again."""


class LoadFailedError(Exception):
    """Most requests were not answered well, so the rate would mean nothing."""


def load(url: str, token: str, body: Path, seconds: int) -> Load:
    """Send `body` over eight connections for so many seconds; raises `LoadFailedError`."""
    figures = wrk(url, token, {body: 1}, seconds=seconds, connections=CONNECTIONS)
    if figures["broken"] or figures["refused"] > figures["requests"] / 10:
        raise LoadFailedError(
            f"{url}: {figures['refused']} refused, {figures['broken']} broken; see the server's log"
        )
    well = figures["requests"] - figures["refused"]
    return Load(well / figures["seconds"], figures["p50_ms"], figures["p99_ms"], int(figures["refused"]))


def wrk(
    url: str, token: str, shares: Mapping[Path, int], *, seconds: int, connections: int, rate: int | None = None
) -> dict[str, float]:
    """Send bodies, so many of each in a round, and return what wrk counted; `rate` is in bodies a second."""
    argv = [
        program("wrk"),
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        str(_SCRIPT),
        url,
    ]
    env = {
        "BENCH_BODIES": " ".join(map(str, shares)),
        "BENCH_SHARES": " ".join(map(str, shares.values())),
        "BENCH_RATE": str(rate or ""),
        "BENCH_TOKEN": token,
    }
    ran = subprocess.run(
        argv, env={**os.environ, **env}, capture_output=True, text=True, timeout=seconds + 60, check=True
    )
    figures: dict[str, float] = json.loads(ran.stdout.split("FIGURES ", 1)[1])
    return figures
