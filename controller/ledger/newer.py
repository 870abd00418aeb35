"""What a newer version of the product wrote: the workers of this one leave it alone, and somebody has to know.

`take` notes what it did not take, and strikes it off once somebody has.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.ledger.connection import Client, redis_now_ms, translated
from controller.ledger.keys import NEWER, key

_NAMED_MOST = 5
_NOBODY_COMES_S = 120
"""Twice the longest pause of `due`."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A rollback that a worker left to the newer version that wrote it, and that nobody has taken for so long."""

    id: str
    instance: str
    age_s: float


def left_alone(client: Client) -> tuple[LeftAlone, ...]:
    """Return every one of them."""
    now_ms = redis_now_ms(client)
    with translated():
        since = sorted(client.hgetall(NEWER).items())
        with client.pipeline(transaction=False) as pipe:
            for ident, _ in since:
                pipe.hmget(key("rollback", ident), "state", "instance")
            found = pipe.execute()
    return tuple(
        LeftAlone(ident, instance or "", _age_s(at, now_ms))
        for (ident, at), (state, instance) in zip(since, found, strict=True)
        if state and state != "ended"
    )


def nobody_comes(client: Client, ident: str) -> bool:
    """Whether a rollback is left alone for so long that no worker of the newer version seems to run."""
    return any(one.id == ident and one.age_s > _NOBODY_COMES_S for one in left_alone(client))


def complaints(client: Client) -> tuple[str, ...]:
    """Say what only a worker of a newer version may go on with; nothing where there is nothing."""
    left = left_alone(client)
    if not left:
        return ()
    names = ", ".join(f"{one.id} ({one.instance})" for one in left[:_NAMED_MOST])
    more = f" and {len(left) - _NAMED_MOST} more" if len(left) > _NAMED_MOST else ""
    oldest_s = max(one.age_s for one in left)
    said = (
        f"Written by a newer version, and not taken up for {oldest_s:.0f} s: {names}{more}. A worker of that "
        "version goes on; where there is to be none, look at each target, then `rollbackctl cancel` ends it."
    )
    return (said,)


def _age_s(at: str, now_ms: int) -> float:
    return max(0.0, (now_ms - int(at)) / 1000) if at.isdecimal() and len(at) < 20 else 0.0
