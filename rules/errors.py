"""The two ways in which anything can go wrong.

The runner understands behaviour, not kinds: a `Transient` error is tried again later, a `Permanent` one ends
the attempt. Adapters translate their library's errors at the edge with `raise … from`. Nothing here derives
from, or is meant to be caught as, a bare `Exception`: RQ's own time limit is one, and must never be swallowed
(rq/rq#2296).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.decisions import Reason


class RollbackError(Exception):
    """Something went wrong, for a reason that a person can act on.

    `reason` is from the closed list; the message ends with what to do next.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Transient(RollbackError):
    """It may work later without anybody doing anything."""


class NotYet(Transient):
    """Nothing is wrong: the thing waited for has not come. Asked again at no cost to the attempts.

    `retry_after_s` says when it is worth looking again, `patience_s` how long that is worth while nothing was
    changed; None where it is as long as acting may take.
    """

    def __init__(
        self, reason: Reason, message: str, *, retry_after_s: float, patience_s: float | None = None
    ) -> None:
        super().__init__(reason, message)
        self.retry_after_s = retry_after_s
        self.patience_s = patience_s


class Permanent(RollbackError):
    """It will not work until somebody changes something."""
