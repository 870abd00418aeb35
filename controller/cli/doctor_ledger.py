"""The doctor's look at Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from controller.cli.valkey import embedded_url
from controller.ledger import LedgerUnavailable, connect
from controller.settings import Redis
from controller.settings.secrets import SecretUnreadable
from rules.findings import Finding, Level, Section, from_message, warns, well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger
    from controller.settings import Settings

_TITLE = "Redis"
_CLOCKS_APART_S = 2
_SETTINGS = "Correct `redis` in the settings, or start Redis."
_UNSAID = "Start `rollbackctl up`, which brings its own, or name yours as `redis: {url: …}` in the settings."


def look_at_redis(settings: Settings) -> tuple[Ledger | None, Section]:
    """Connect and look; None where it does not answer. Where none is named, it is the one that `up` brings."""
    embedded = None if settings.redis.said else embedded_url(settings.data_dir)
    redis = Redis(url=embedded) if embedded else settings.redis
    try:
        ledger = connect(redis, settings.numbers, "worker")
        ledger.health.ping()
        return ledger, Section(_TITLE, tuple(_about(ledger)))
    except (LedgerUnavailable, SecretUnreadable) as error:
        fix = _SETTINGS if settings.redis.said else _UNSAID
        return None, Section(_TITLE, (from_message(Level.WRONG, str(error), fix),))


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
