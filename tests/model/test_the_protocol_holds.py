"""The invariants of the protocol hold, whatever happens between any two calls.

The protocol, as this model has it (docs/reference/protocol.md is the whole of it):

*An alert* is heard in one script: what its rule has to decide stands in a notification, and that in `due`,
before the answer goes out. A reconciler rings for what is due; a bell proves nothing, and may be lost, late or
doubled.

*A worker* takes the lease, which mints a fence above every earlier one, and gets the record with it. For a
notification it opens one rollback per instance, or joins the one there is, and then takes the pair off. For a
rollback it goes on from the state that the record says, and every write of its own is refused once the lease is
another's.

*Before the change* it looks at the target, enlists in a campaign, asks the guards by the book, and commits: the
script refuses where the lease, the state, the book, the effect or the alerts are no longer what they were.
Whoever takes over a commit that no change followed asks the guards again, and gives it back where they say no.

*A change* is an intent in the journal, then one operation of the target, which compares the fence and the
arrival, then a done. Whoever finds an intent without a done looks first. A target that has met a higher fence
makes a holder raise its own. What fails after the switch is put back, once; what nobody can know is held, and
only a person, or another release, moves it on.

*The world* does what it likes between any two of these calls: workers die, sleep past their lease and wake;
replies come late or never; people cancel, deny, approve, pause; deployers deploy; a replica takes over that has
not heard the last of it, with a clock that is behind. `invariants.py` says what holds all the same, and in the
end, once the world holds still, everything is over or waits for somebody who can be named.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from model.machine import Protocol

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
CI = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_happens_between_two_calls(protocol: type[Protocol]) -> None:
    """The same worlds each time; MODEL_EXAMPLES=20000 goes through as many others, chosen anew."""
    chosen = CI
    if EXAMPLES:
        chosen = settings(CI, max_examples=EXAMPLES, derandomize=False, print_blob=True)
    run_state_machine_as_test(protocol, settings=chosen)
