"""The doctor's look at Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from controller.ledger import LedgerUnavailable, connect
from controller.settings.secrets import SecretUnreadable
from rules.findings import Finding, Level, Section, from_message, warns, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger
    from controller.settings import Settings

_TITLE = "Redis"
_CLOCKS_APART_S = 2
_SETTINGS = "Correct `redis` in the settings, or start Redis."


def look_at_redis(settings: Settings) -> tuple[Ledger | None, Section]:
    """Connect and look; None where it does not answer."""
    try:
        ledger = connect(settings.redis, settings.numbers, "worker")
        ledger.health.ping()
        return ledger, Section(_TITLE, tuple(_about(ledger)))
    except (LedgerUnavailable, SecretUnreadable) as error:
        return None, Section(_TITLE, (from_message(Level.WRONG, str(error), _SETTINGS),))


def _about(ledger: Ledger) -> Iterator[Finding]:
    yield well(f"{ledger.health.server()} answers.")
    for complaint in ledger.health.complaints():
        yield from_message(Level.WRONG, complaint, _SETTINGS)
    apart = time.time() - ledger.health.clock_s()
    if abs(apart) > _CLOCKS_APART_S:
        what = (
            f"The clock of Redis and ours are {abs(apart):.0f} s apart: alerts seem older or newer than they are."
        )
        yield warns(what, "Have both machines keep time (chrony, systemd-timesyncd).")
