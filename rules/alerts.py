"""Alerts as Alertmanager's webhook body (version 4) carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Alert:
    """One entry of a notification; judged alone, by its own labels and its own status.

    Times are milliseconds since the epoch, UTC. `fingerprint` is Alertmanager's hash of the label set.
    """

    fingerprint: str
    status: Literal["firing", "resolved"]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at_ms: int
    generator_url: str = ""

    @property
    def firing(self) -> bool:
        """Whether this alert fires, whatever the group's status says."""
        return self.status == "firing"
