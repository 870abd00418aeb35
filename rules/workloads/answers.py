"""How a look-up ends early: with the decision that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Decision, Outcome

if TYPE_CHECKING:
    from rules.decisions import Reason


class CannotTell(Exception):
    """Carries a decision out of a look-up."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.detail)
        self.decision = decision


def refused(reason: Reason, detail: str) -> CannotTell:
    """Make a refusal, final for this alert: what it says will not change."""
    return CannotTell(Decision(Outcome.REFUSE, reason, detail))


def held(reason: Reason, detail: str) -> CannotTell:
    """Make a hold: a person must say what is meant."""
    return CannotTell(Decision(Outcome.HOLD, reason, detail))


def not_meant(reason: Reason, detail: str) -> CannotTell:
    """Make a no-match: the rule is not about this."""
    return CannotTell(Decision(Outcome.NO_MATCH, reason, detail))
