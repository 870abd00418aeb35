"""Whether going back helped: judged from what is known after the change, with a reason. Pure.

A healthy instance is not enough, and silence proves nothing. *Recovered*: no alert of the rule's `when` fires for
the instance, whatever its other labels, for two group intervals, and it is still watched. *Ineffective* needs
evidence from after the change: a firing heard later, Alertmanager's own word, or PromQL. Anything else is
*inconclusive*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rules.decisions import Reason

if TYPE_CHECKING:
    from rules.facts import Fact


class Proof(StrEnum):
    """What is known once it can be judged; the words are those of an ended rollback's outcome."""

    RECOVERED = "recovered"
    INEFFECTIVE = "ineffective"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rollback ended, and why."""

    outcome: Proof
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alert of the rule's `when` about the instance, or one that stood behind the rollback.

    `heard_ms` is when it was last known to fire, by `source`; `over_ms` when it was over. `suppressed` says by
    what Alertmanager keeps it to itself (silenced, inhibited): that it ends may never be told.
    """

    fingerprint: str
    firing: bool
    heard_ms: int | None = None
    over_ms: int | None = None
    suppressed: str = ""
    source: str = "ledger"


@dataclass(frozen=True, slots=True)
class Checked:
    """What PromQL said of one `check`. `holds` None: it could not be asked, or had nothing to say."""

    promql: str
    holds: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything the outcome of one changed instance is judged by. Times by one clock, in milliseconds.

    `cleared_within_s` is what the rule says, or what `auto` came to. `complete` is False where the absence of an
    alert proves nothing. `watched`: Prometheus is configured, so that not being scraped means something.
    `gone` are metrics that the alerting rule's expression uses, seen before the change and not after.
    """

    changed_ms: int
    now_ms: int
    cleared_within_s: float
    group_interval_s: float
    troubles: tuple[Trouble, ...] = ()
    by_hand: bool = False
    complete: bool = True
    watched: bool = False
    scraped: Fact[bool] | None = None
    gone: tuple[str, ...] = ()
    checks: tuple[Checked, ...] = ()
    blind: str = ""
    """Why monitoring that is configured could not be asked; empty where it could."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It is too early to say. `look_again_ms` is when another look can tell more, at the latest."""

    look_again_ms: int
    detail: str = ""
