"""The ledger: everything remembered, behind one value a process builds once."""

from __future__ import annotations

import json
from typing import Literal

import redis

from controller.ledger.asking import Asking
from controller.ledger.bells import Bells
from controller.ledger.booking import Booking
from controller.ledger.catalogue import Catalogues
from controller.ledger.clients import client
from controller.ledger.connection import Client, Scripts, pairs, translated
from controller.ledger.decisions import Decisions
from controller.ledger.doorbell import Doorbell
from controller.ledger.hands import Hands
from controller.ledger.health import Health
from controller.ledger.hearing import Answer, Heard, Hearing
from controller.ledger.keys import QUEUE_LIST, QUEUE_TYPES
from controller.ledger.leases import Leases
from controller.ledger.outbox import Outbox
from controller.ledger.records import Counts
from controller.ledger.relearned import Relearned
from controller.ledger.rollbacks import Rollbacks
from controller.ledger.roster import Roster
from controller.ledger.seals import Seals
from controller.ledger.sightings import Sightings
from controller.ledger.spreading import Spreading
from controller.ledger.suspensions import Suspensions
from controller.settings.numbers import Numbers
from controller.settings.settings import Redis as RedisSettings

Role = Literal["web", "worker", "lease"]
_OF_A_READ = 0.7
"""So much of a read's time limit replicas have to confirm: Redis answers before the read gives up."""


class Ledger:
    """What one process uses to remember. Its parts share one client; it may be built before a fork."""

    def __init__(self, connection: Client, numbers: Numbers, *, replicas: int = 0, wait_s: float = 0.5) -> None:
        self._client = connection
        self._scripts = Scripts(connection, numbers, replicas=replicas, wait_s=wait_s)
        doorbell = Doorbell(connection, numbers)
        self._hearing = Hearing(self._scripts, doorbell)
        self.rollbacks = Rollbacks(connection, self._scripts, doorbell)
        self.leases = Leases(self._scripts)
        self.decisions = Decisions(connection, self._scripts)
        self.asking = Asking(connection, self._scripts, doorbell)
        self.booking = Booking(connection, self._scripts)
        self.catalogue = Catalogues(connection, self._scripts)
        self.bells = Bells(self._scripts, doorbell)
        self.hands = Hands(connection, self._scripts)
        self.health = Health(connection)
        self.sightings = Sightings(connection, self._scripts)
        self.suspensions = Suspensions(connection, self._scripts)
        self.roster = Roster(connection, self._scripts)
        self.seals = Seals(connection, self._scripts)
        self.outbox = Outbox(connection, self._scripts)
        self.relearned = Relearned(connection, self._scripts)
        self.spreading = Spreading(connection, self._scripts)

    def hear(self, heard: Heard) -> Answer:
        """Record a notification; durable when it returns, as far as Redis is. Raises `LedgerUnavailable`.

        One that is known already waits for the replicas too: its first try may have been refused for want of them.
        """
        answer = self._hearing.hear(heard)
        self._scripts.reach_replicas()
        return answer

    def reach_replicas(self) -> None:
        """Return when the replicas that the settings ask for have all that was written; see `Scripts`."""
        self._scripts.reach_replicas()

    def counts(self) -> Counts:
        """Count what waits and what came of the rest."""
        due, lag_ms, states, totals = self._scripts.run("counts")
        with translated():
            queued = int(self._client.llen(QUEUE_LIST))
        ended = {tuple(name.split(" ", 1)): int(n) for name, n in pairs(totals).items()}
        return Counts(
            due=int(due),
            lag_s=int(lag_ms) / 1000,
            queued=queued,
            unfinished={state: int(n) for state, n in pairs(states).items()},
            ended={(outcome, reason): n for (outcome, reason), n in ended.items()},
        )

    def teach(self) -> None:
        """Teach Redis the scripts; done before a fork, no child spends a round trip on it."""
        with translated():
            self._scripts.teach()

    def mend(self) -> tuple[str, ...]:
        """Delete what stands under RQ's names and cannot be of RQ's making; returns the keys. Costs bells only."""
        deleted: list[str] = self._scripts.run("mend", json.dumps(list(QUEUE_TYPES.items())))
        return tuple(deleted)

    def close(self) -> None:
        """Close the connections of this process."""
        self._client.close()


def connect(settings: RedisSettings, numbers: Numbers, role: Role) -> Ledger:
    """Build a ledger with the time limits of a role; nothing is connected until it is used."""
    limits = {
        "web": (numbers.web_connect_s, numbers.web_read_s, 1),
        "worker": (numbers.call_timeout_s, numbers.call_timeout_s, 2),
        "lease": (numbers.lease_renew_timeout_s, numbers.lease_renew_timeout_s, 0),
    }
    connect_s, read_s, retries = limits[role]
    connection = client(settings, connect_s=connect_s, read_s=read_s, retries=retries)
    wait_s = read_s * _OF_A_READ
    return Ledger(connection, numbers, replicas=settings.wait_for_replicas, wait_s=wait_s)


def queue_client(settings: RedisSettings, numbers: Numbers) -> redis.Redis:
    """Build the client that RQ's worker waits on; RQ needs bytes and sets its own limit for blocking reads."""
    call_s = numbers.call_timeout_s
    return client(settings, connect_s=call_s, read_s=call_s, retries=2, decode=False)
