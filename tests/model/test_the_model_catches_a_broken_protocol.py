"""The model can fail: each safeguard that is taken away breaks an invariant, and the model says which.

A safeguard is a piece of a script, left out in memory, or one of the two comparisons that a target makes. Each is
met by the shortest story in which it matters; with the safeguard in its place, the same story ends well.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from model.machine import Protocol
from model.redis_side import Broken, Mutation
from model.site import Luck
from model.stories import FIRST, SECOND, Story, goes_on, runs


def paused_before(what: str) -> Story:
    """One is stopped before a call, and goes on when its lease has lapsed and another has done everything."""

    def story(world: Protocol) -> None:
        world.fires("a0", 0)
        runs(world, FIRST, until=what)
        world.lease_lapses("web1")
        runs(world, SECOND)
        goes_on(world, FIRST)

    return story


def alone_before(what: str) -> Story:
    """One is stopped before a call, and goes on when its lease has lapsed, and nobody else has come yet."""

    def story(world: Protocol) -> None:
        world.fires("a0", 0)
        runs(world, FIRST, until=what)
        world.lease_lapses("web1")
        goes_on(world, FIRST)

    return story


def a_pause_right_before_the_commit(world: Protocol) -> None:
    """Stop everything when the guards have been asked, and before the commit."""
    world.fires("a0", 0)
    runs(world, FIRST, until="commit")
    world.a_person_says("pause", 0)
    goes_on(world, FIRST)


def another_release_right_before_the_switch(world: Protocol) -> None:
    """Somebody deploys between the intent and the change."""
    world.fires("a0", 0)
    runs(world, FIRST, until="switch")
    world.deploys("web1")
    goes_on(world, FIRST)


def two_alerts(world: Protocol) -> None:
    """Two alerts are about one instance."""
    for alert in ("a0", "b0"):
        world.fires(alert, 0)
    runs(world, FIRST)


def parked(world: Protocol) -> None:
    """Ask a worker to stop after the commit."""
    world.fires("a0", 0)
    runs(world, FIRST, until="switch")
    runs(world, FIRST, luck=Luck.PARK)


def recovered(world: Protocol) -> None:
    """Everything goes well; then the alert comes again, about the release that we brought."""
    world.fires("a0", 0)
    runs(world, FIRST)
    world.resolves("a0")
    world.reconciles(1)
    runs(world, FIRST)
    world.reconciles(130)
    world.fires("a0", 0)
    runs(world, FIRST)


def cancelled_after_the_change(world: Protocol) -> None:
    """Cancel by hand what a worker has changed before it died, and before anybody takes over."""
    world.fires("a0", 0)
    runs(world, FIRST, until="restart")
    world.dies(FIRST)
    world.lease_lapses("web1")
    world.cancels(0, SECOND, 0, undone=False)
    world.invariants_hold()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One piece of a script that is not there, the story in which that matters, and what breaks."""

    script: str
    piece: str
    story: Story
    invariant: str
    instead: str = ""

    @property
    def mutation(self) -> Mutation:
        """What to do to the script."""
        return self.script, self.piece, self.instead


LOST = "if not holds(instance, token) then return {'lost', ''} end"
SCRIPTS = {
    "an instance has one rollback": LeftOut(
        "open",
        "if state and state ~= 'ended' then return join(holder) end",
        two_alerts,
        "one unfinished rollback per instance",
    ),
    "who comes later has the higher fence": LeftOut(
        "take", "ms(math.max(last + 1, now))", paused_before("restart"), "no stale write", instead="'1'"
    ),
    "a commit needs the lease": LeftOut("commit", LOST, alone_before("commit"), "no write without the lease"),
    "a note needs the lease": LeftOut(
        "note",
        "if not holds(ARGV[2], ARGV[3]) then return 'lost' end",
        alone_before("note"),
        "no write without the lease",
    ),
    "a move needs the lease": LeftOut(
        "move",
        "if token ~= '' and not holds(lease, token) then return {'lost', state} end",
        alone_before("move"),
        "no write without the lease",
    ),
    "a decision needs the lease": LeftOut(
        "decide",
        "if not holds(id, ARGV[2]) then return -1 end",
        alone_before("decide"),
        "no write without the lease",
    ),
    "the guards were asked of the book as it is": LeftOut(
        "commit",
        "if (redis.call('HGET', BOOK, 'version') or '0') ~= ARGV[5] then",
        a_pause_right_before_the_commit,
        "nothing is committed during a pause",
        instead="if false then",
    ),
    "an arrival has one effect": LeftOut(
        "commit",
        "if made and made ~= id and redis.call('HGET', record, 'by') == '' then",
        recovered,
        "our own hand brings no arrival for a rule",
        instead="if false then",
    ),
    "a move comes from where it may": LeftOut(
        "move",
        "if not allowed then return {'moved', state} end",
        cancelled_after_the_change,
        "what changed something never ends as if it had not",
    ),
    "what waits is rung for": LeftOut(
        "move", "wake(id, now + tonumber(ARGV[7]))", parked, "what waits is looked at again", instead="quiet(id)"
    ),
    "what is heard is rung for": LeftOut(
        "hear", "  first_bell(id)\n", two_alerts, "what waits is looked at again"
    ),
    "what was changed gives nothing back": LeftOut(
        "move",
        "if ARGV[9] ~= '1' then give_back() end",
        recovered,
        "the effect names who made it",
        instead="give_back()",
    ),
}
TARGETS = {
    "fences": ("compares_fences", paused_before("restart"), "no stale write"),
    "arrivals": ("compares_arrivals", another_release_right_before_the_switch, "one change per effect"),
}


@pytest.mark.parametrize("safeguard", SCRIPTS)
def test_a_script_without_it(protocol: type[Protocol], safeguard: str) -> None:
    """Take one safeguard out of one script."""
    out = SCRIPTS[safeguard]
    out.story(protocol())
    mutated = type("Mutated", (protocol,), {"mutations": (out.mutation,)})
    with pytest.raises(Broken, match=out.invariant):
        out.story(mutated())


@pytest.mark.parametrize("safeguard", TARGETS)
def test_a_target_that_does_not_compare(protocol: type[Protocol], safeguard: str) -> None:
    """Have the target take whatever comes."""
    comparison, story, invariant = TARGETS[safeguard]
    story(protocol())
    careless = type("Careless", (protocol,), {comparison: False})
    with pytest.raises(Broken, match=invariant):
        story(careless())
