"""Everything remembered: all Redis keys, every change of state as one script, and the doorbells.

The protocol is described in docs/reference/protocol.md.
"""

from controller.ledger.connection import LedgerUnavailable
from controller.ledger.episodes import Episode
from controller.ledger.hands import Deed, Hands, LockHeld
from controller.ledger.hearing import Answer, Heard, HeardAlert
from controller.ledger.leases import Busy, Gone, Newer, Taken
from controller.ledger.ledger import Ledger, connect, queue_client
from controller.ledger.records import Counts, End, NewRollback, Opened, Rollback, State
from controller.ledger.rollbacks import AskAgain, Hold, LeaseLost, MovedOn
from controller.ledger.roster import Look, PastArrival, RosterEntry, Unchanged
from controller.ledger.sightings import Sighting, Sweep, Swept

__all__ = [
    "Answer",
    "AskAgain",
    "Busy",
    "Counts",
    "Deed",
    "End",
    "Episode",
    "Gone",
    "Hands",
    "Heard",
    "HeardAlert",
    "Hold",
    "LeaseLost",
    "Ledger",
    "LedgerUnavailable",
    "LockHeld",
    "Look",
    "MovedOn",
    "NewRollback",
    "Newer",
    "Opened",
    "PastArrival",
    "Rollback",
    "RosterEntry",
    "Sighting",
    "State",
    "Sweep",
    "Swept",
    "Taken",
    "Unchanged",
    "connect",
    "queue_client",
]
