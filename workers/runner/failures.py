"""What the failure of a step leads to: another try, the way back, or a hold."""

from __future__ import annotations

from rules.decisions import Reason
from rules.errors import NotYet, Permanent, RollbackError
from workers.runner.journal import Journal
from workers.terms import Terms

_WORTH_THE_WAY_BACK = frozenset(
    {Reason.NOT_HEALTHY, Reason.NOT_STEADY, Reason.COMMAND_FAILED, Reason.PROGRESS_DEADLINE}
)


def is_last(error: RollbackError, attempts: int, terms: Terms) -> bool:
    """Whether nothing more will be tried after this one, which comes after `attempts` that failed."""
    if isinstance(error, NotYet):
        return False
    return isinstance(error, Permanent) or attempts + 1 >= terms.attempts


def worth_the_way_back(error: RollbackError, journal: Journal) -> bool:
    """Whether what was changed is known to be bad for good, by the last failure, and not just not to be seen."""
    if error.reason not in _WORTH_THE_WAY_BACK:
        return False
    return journal.changed() and not journal.seen_healthy("plan")
