"""What a worker process is made of, built once per process and handed down. Nothing here is a global."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.ledger import Ledger
from controller.settings.house import House
from controller.settings.numbers import Numbers
from rules.instances import Instance
from workers.driver import Driver
from workers.terms import Terms

Reach = Callable[[Instance, str, Terms], Driver]
"""Reach an instance for a rollback (by id) under its terms; raises `Transient` or `Permanent`."""


@dataclass(frozen=True, slots=True)
class Site:
    """The rules and inventory in force, the ledger, the way to targets, and whether we are asked to stop.

    `lease_ledger` builds the ledger whose only use is to renew a lease: its own connection, one short try.
    """

    numbers: Numbers
    house: House
    ledger: Ledger
    lease_ledger: Callable[[], Ledger]
    reach: Reach
    stopping: threading.Event = field(default_factory=threading.Event)
