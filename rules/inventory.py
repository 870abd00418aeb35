"""The inventory: which services run on which hosts. What it holds is in `rules.services`."""

from __future__ import annotations

from rules.services import (
    RELEASE_PATTERN,
    Health,
    Host,
    Inventory,
    Order,
    Restart,
    RestartKind,
    Service,
    Ssh,
    Stop,
)

__all__ = [
    "RELEASE_PATTERN",
    "Health",
    "Host",
    "Inventory",
    "Order",
    "Restart",
    "RestartKind",
    "Service",
    "Ssh",
    "Stop",
]
