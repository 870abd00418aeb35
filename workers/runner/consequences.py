"""What a rollback means beyond its instance: the release's mark, the rule's standing, and what people are told.

Each is written before the move that it belongs to, and may be written twice: whoever takes over writes the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from controller.ledger import End, Rollback
from rules.judgement import Judgement
from rules.marks import Mark
from workers.site import Site

log = structlog.get_logger(__name__)

_LIFTS = frozenset({End.INEFFECTIVE, End.FAILED})
"""Where the release was not shown to be the cause, its mark goes back to what it was."""


class Consequences:
    """Writes them down."""

    def __init__(self, site: Site) -> None:
        self._ledger = site.ledger

    def suspect(self, rollback: Rollback) -> None:
        """Mark the release that is left; from the commit on, nobody goes there until it is judged."""
        self._mark(rollback, Mark.SUSPECT, f"{rollback.asked_by} rolls {rollback.instance} back from it")

    def ended(self, rollback: Rollback, outcome: End, detail: str) -> None:
        """Judge the release by what became of the rollback, and the rule by whether it helped."""
        if outcome is End.RECOVERED and rollback.rule:
            self._mark(rollback, Mark.KNOWN_BAD, f"going back from it on {rollback.instance} ended the alert")
        if outcome in _LIFTS:
            self._ledger.catalogue.lift(rollback.service, rollback.id)
        if outcome is End.INEFFECTIVE and rollback.rule:
            why = f"rollback {rollback.id} did not help"
            self._ledger.hands.demote(rollback.rule, why, rollback.id)

    def held(self, rollback: Rollback, judgement: Judgement) -> None:
        """Tell people, once for each reason, that something needs them."""
        del rollback, judgement

    def asked(self, rollback: Rollback, judgement: Judgement, asked: Mapping[str, Any]) -> None:
        """Ask people to approve a plan."""
        del rollback, judgement, asked

    def _mark(self, rollback: Rollback, mark: Mark, why: str) -> None:
        if not rollback.release:
            return
        self._ledger.catalogue.mark(
            rollback.service,
            rollback.release,
            mark,
            by=f"rollback {rollback.id}",
            why=why,
            environment=rollback.environment,
            rollback=rollback.id,
        )
