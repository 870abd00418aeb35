"""Where replicas are asked for, they know that a step was begun before it changes anything outside.

The commit reaches them, and so does each intent: whoever takes over after a failover looks at the target for what
the journal says was begun, and never takes a change for none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.redis import Redis
from testbed.worksite import Shop

from controller.ledger import End, LedgerUnavailable, State
from rules.decisions import Reason
from rules.plans import StepKind


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Iterator[Shop]:
    """Give a shop that runs v1.3.0."""
    with Shop(tmp_path, redis_server).serving() as shop:
        yield shop


def test_each_step_that_changes_something_waits_for_them(shop: Shop) -> None:
    """When they are waited for, the newest entry is the intent, and the step is not done."""
    seen = []
    with shop.site() as site:
        ident = shop.open(site.ledger)

        def reach_replicas() -> None:
            newest = site.ledger.rollbacks.journal(ident)[-1]
            seen.append((newest["kind"], newest["step_kind"], shop.running, shop.restarts))

        site.ledger.reach_replicas = reach_replicas  # type: ignore[method-assign]
        assert shop.work(site, ident).outcome == End.RECOVERED
    assert seen == [("intent", StepKind.SWITCH, "v1.3.0", 0), ("intent", StepKind.RESTART, "v1.2.0", 0)]


def test_without_their_word_the_step_is_not_done(shop: Shop) -> None:
    """It parks; the next stretch looks at what was begun, and finishes."""

    def too_few() -> None:
        raise LedgerUnavailable("Only 0 of 1 replicas have what was written.")

    with shop.site() as site:
        ident = shop.open(site.ledger)
        there, site.ledger.reach_replicas = site.ledger.reach_replicas, too_few  # type: ignore[method-assign]
        parked = shop.work(site, ident)
        assert (parked.state, parked.reason) == (State.PARKED, Reason.LEDGER_UNAVAILABLE)
        assert (shop.running, shop.restarts) == ("v1.3.0", 0)
        site.ledger.reach_replicas = there  # type: ignore[method-assign]
        assert shop.work(site, ident, "job-2").outcome == End.RECOVERED
    assert (shop.running, shop.restarts) == ("v1.2.0", 1)
