"""What a worker process is made of, built once per process and handed down. Nothing here is a global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from controller.ledger import Ledger
from controller.settings.house import House
from controller.settings.numbers import Numbers
from rules.instances import Instance
from workers.driver import Driver
from workers.finding import Finder
from workers.stopping import Stopping
from workers.terms import Terms

Reach = Callable[[Instance, str, Terms, Callable[[], float]], Driver]
"""Reach an instance for a rollback (by id) under its terms, by a clock (seconds since the epoch) that means the
same on every machine; raises `Transient` or `Permanent`.
"""


@dataclass(frozen=True, slots=True)
class Site:
    """The rules and inventory in force, the ledger, the way to targets, and whether we are asked to stop.

    `find` builds what leads from alerts to instances, one for each job; its connections last as long.
    `lease_ledger` builds the ledger whose only use is to renew a lease: its own connection, one short try.
    """

    numbers: Numbers
    house: House
    ledger: Ledger
    lease_ledger: Callable[[], Ledger]
    reach: Reach
    find: Callable[[], Finder]
    stopping: Stopping = field(default_factory=Stopping)
