"""How long a rollback stood still after the process that carried it out was killed or stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

_ENDS_IT = ("kill", "stop")


def recoveries(faults: Sequence[Mapping[str, Any]], rollbacks: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return, in seconds, the time from each such fault to the next sign of life of its rollback.

    A sign of life is an entry of its journal, its commit or its end, by Redis' clock; of several faults before one
    sign, the last counts. Where no worker was free, or Redis was down, that time is counted too.
    """
    return sorted(round(s, 2) for one in rollbacks for s in _recoveries(faults, one))


def _recoveries(faults: Sequence[Mapping[str, Any]], rollback: Mapping[str, Any]) -> Iterator[float]:
    hits = sorted(fault["at"] for fault in faults if _hit(fault, rollback["id"]))
    signs = sorted(_signs(rollback))
    for number, hit in enumerate(hits):
        sign = next((at for at in signs if at > hit), None)
        again = hits[number + 1] if number + 1 < len(hits) else None
        if sign is not None and (again is None or sign <= again):
            yield sign - hit


def _hit(fault: Mapping[str, Any], rollback: str) -> bool:
    return fault["kind"].startswith(_ENDS_IT) and fault["rollback"] == rollback


def _signs(rollback: Mapping[str, Any]) -> Iterator[float]:
    for entry in rollback["journal"]:
        yield entry["at"] / 1000
    for name in ("committed_at", "ended_at"):
        if rollback[name] is not None:
            yield datetime.fromisoformat(rollback[name]).timestamp()
