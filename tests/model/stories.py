"""Words in which short stories of the model are told: who runs, up to where, and who goes on."""

from __future__ import annotations

from collections.abc import Callable

from model.machine import Protocol
from model.redis_side import Halt
from model.site import Luck

FIRST, SECOND = 0, 1
Story = Callable[[Protocol], None]


def runs(world: Protocol, worker: int, *, until: str = "", luck: Luck = Luck.GOOD) -> None:
    """Have a worker answer bells until there is none, or it stands before a script, or a step on web1."""
    target = world.targets["web1"]
    before = target.before if until in ("switch", "restart") else world.redis.line.before
    if until:
        before[until] = halt
    for _ in range(100):
        if world.workers[worker].idle:
            ident = world.redis.next_bell()
            if ident is None:
                return
            world.workers[worker].hears(ident)
        if not world.workers[worker].goes(luck=luck):
            return
        world.invariants_hold()


def halt() -> None:
    """Keep a worker from its next call."""
    raise Halt


def goes_on(world: Protocol, worker: int, luck: Luck = Luck.GOOD) -> None:
    """Let a worker go on from where it stood."""
    while not world.workers[worker].idle:
        world.workers[worker].goes(luck=luck)
        world.invariants_hold()
