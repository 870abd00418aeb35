"""Stories that the model told of a protocol that was not yet right, kept by what they were about."""

from __future__ import annotations

from controller.ledger import State
from model.machine import Protocol
from model.site import Luck
from model.stories import FIRST, goes_on, runs


def test_a_cancel_that_comes_late_knows_what_was_changed(protocol: type[Protocol]) -> None:
    """Cancel what had changed nothing when it was looked at, and has by now, and is held.

    What a person's cancel says of the record is said of the record as it is then, or not at all.
    """
    world = protocol()
    world.fires("a0", 0)
    runs(world, FIRST, until="commit")

    def meanwhile() -> None:
        runs(world, FIRST, until="switch")
        world.workers[FIRST].goes()
        world.deploys("web1")
        goes_on(world, FIRST, luck=Luck.FAIL)
        states = [record["state"] for record in world.redis.memory().rollbacks.values()]
        assert states == [State.HELD]

    world.cancelled(0, meanwhile)
    world.invariants_hold()
