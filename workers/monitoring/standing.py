"""How an Alertmanager stands: which process it is, since when, in good order or not, with which settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from rules.notifications import parse_timestamp

_IN_ORDER = frozenset({"ready", "disabled"})
_KEEPS_BACK = re.compile(r"(mute|active)_time_intervals\W{0,2}:")


@dataclass(frozen=True, slots=True)
class Standing:
    """What `/api/v2/status` says. `started` tells one process from the next one at the same address."""

    started: str
    up_s: float
    """By its own clock, so that nobody else's matters."""
    in_order: bool
    """Not still settling with the others of its cluster."""
    version: str
    config: str
    """The configuration in force, as YAML, secrets left out by Alertmanager itself."""

    @property
    def keeps_back(self) -> bool:
        """Whether some route keeps alerts back at times; versions before 0.28 do not say which."""
        return _KEEPS_BACK.search(self.config) is not None


def read_standing(said: Any, date: str) -> Standing:
    """Read the answer; raises `KeyError`, `TypeError` or `ValueError` where it is something else."""
    started_ms = parse_timestamp(said["uptime"])
    if started_ms is None:
        raise ValueError("it does not say since when it runs")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return Standing(
        started=str(said["uptime"]),
        up_s=now.timestamp() - started_ms / 1000,
        in_order=said["cluster"]["status"] in _IN_ORDER,
        version=str(said["versionInfo"]["version"]),
        config=str(said["config"]["original"]),
    )
