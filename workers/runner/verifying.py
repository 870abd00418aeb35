"""What is known after the change: what the ledger heard of the alerts behind a rollback."""

from __future__ import annotations

from collections.abc import Sequence

from controller.ledger import Episode, Rollback
from rules.verification import Seen, Trouble
from workers.site import Site
from workers.terms import Terms

_AUTO_S = 300 + 120
"""A range and a margin, where the rule does not say how long its alerts take to be gone."""


class Verifying:
    """Gathers what a rollback's outcome is judged by, for one job."""

    def __init__(self, site: Site) -> None:
        self._group_interval_s = site.numbers.group_interval_s

    def look(self, rollback: Rollback, terms: Terms, episodes: Sequence[Episode], now_ms: int) -> Seen:
        """Say what is known now."""
        told = (terms.cleared_within_s, rollback.cleared_within_s)
        cleared_s = next((s for s in told if s is not None), _AUTO_S + 2 * self._group_interval_s)
        return Seen(
            changed_ms=rollback.changed_ms or now_ms,
            now_ms=now_ms,
            cleared_within_s=cleared_s,
            group_interval_s=self._group_interval_s,
            troubles=tuple(Trouble(e.fingerprint, e.open, e.heard_ms, e.closed_ms) for e in episodes),
            by_hand=not rollback.rule,
            complete=not any(e.truncated for e in episodes),
        )

    def close(self) -> None:
        """Let go of nothing: the ledger is the site's."""
