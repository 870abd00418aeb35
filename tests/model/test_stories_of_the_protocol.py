"""Stories that the model told of a protocol that was not yet right, kept by what they were about."""

from __future__ import annotations

from controller.ledger import End, State
from model.machine import Protocol
from model.site import Luck
from model.stories import FIRST, SECOND, goes_on, runs


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


def test_an_alert_that_joins_what_is_held_while_it_is_looked_at(protocol: type[Protocol]) -> None:
    """A release comes, and an alert about it joins, after the look at the target and before it is held again."""
    world = protocol()
    world.fires("a0", 0)
    runs(world, FIRST, until="commit")
    goes_on(world, FIRST, luck=Luck.NO)
    world.fires("b0", 0)
    runs(world, SECOND)
    world.reconciles(1)
    runs(world, FIRST, until="move")
    (record,) = world.redis.memory().rollbacks.values()
    assert record["state"] == State.HELD

    world.deploys("web1")
    world.resolves("b0")
    world.reconciles(61)
    world.fires("b0", 0)
    runs(world, SECOND)
    goes_on(world, FIRST)
    world.reconciles(1)
    runs(world, FIRST)
    (record,) = world.redis.memory().rollbacks.values()
    assert record["outcome"] == End.SUPERSEDED


def test_a_change_that_a_failover_forgot_is_not_taken_for_none(protocol: type[Protocol]) -> None:
    """The replica has the commit, and not the intent; the link is switched, and the primary is gone."""
    world = protocol()
    world.fires("a0", 0)
    runs(world, FIRST, until="commit")
    world.workers[FIRST].goes()
    world.replicates()
    runs(world, FIRST, until="restart")
    world.dies(FIRST)
    world.fails_over(0)
    world.lease_lapses("web1")
    runs(world, SECOND)
    (record,) = world.redis.memory().rollbacks.values()
    assert (record["state"], world.targets["web1"].release) == (State.VERIFYING, "good")
