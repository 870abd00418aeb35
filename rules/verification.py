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
    from collections.abc import Sequence

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
    what Alertmanager keeps it to itself (silenced, inhibited): that it ends may never be told. `shared`: it is
    about several instances at once, and others of them still run what this one left. `unlisted`: only the ledger
    takes it to fire, and Alertmanager, asked now, does not list it. `pending`: nobody takes it to fire, only its
    condition holds.
    """

    fingerprint: str
    firing: bool
    heard_ms: int | None = None
    over_ms: int | None = None
    suppressed: str = ""
    source: str = "ledger"
    shared: bool = False
    unlisted: bool = False
    pending: bool = False


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
    may_fire_s: float = 0.0
    """So long after the change the other release's own alert may first fire, where nobody sees what is pending."""
    blind: str = ""
    """Why monitoring that is configured could not be asked; empty where it could."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """It is too early to say. `look_again_ms` is when another look can tell more, at the latest."""

    look_again_ms: int
    detail: str = ""


_OTHER_CAUSE = "the release was not the cause, or not alone. Look for another cause"


def judge(seen: Seen) -> Verdict | NotYet:
    """Return the outcome, or when to look again while it is too early to say. Pure, and total."""
    if seen.by_hand and not seen.troubles and not seen.checks:
        said = "healthy and steady; no alert was behind this rollback, so there is nothing more to wait for"
        return Verdict(Proof.RECOVERED, Reason.HEALTHY, said)
    if any(one.firing for one in seen.troubles):
        return _while_it_fires(seen)
    return _in_the_quiet(seen)


def _while_it_fires(seen: Seen) -> Verdict | NotYet:
    until_ms = _until_ms(seen)
    if seen.now_ms < until_ms:
        return NotYet(until_ms, "an alert about this instance still fires")
    firing = [one for one in seen.troubles if one.firing]
    proof = next((one for one in firing if not one.suppressed and _is_evidence(one, seen)), None)
    if proof is not None:
        return Verdict(Proof.INEFFECTIVE, Reason.STILL_FIRING, _still_fires(proof, seen))
    if any(one.holds is False for one in seen.checks):
        return _check_not_met(seen)
    if any(one.suppressed for one in seen.troubles):
        return _suppressed(seen)
    return _blind(seen) if seen.blind else _unproven(seen, firing)


def _unproven(seen: Seen, firing: Sequence[Trouble]) -> Verdict | NotYet:
    if all(one.pending or one.unlisted for one in firing):
        return _perhaps_over(seen, firing)
    return _shared() if any(one.shared for one in firing) else _not_heard(seen)


def _perhaps_over(seen: Seen, firing: Sequence[Trouble]) -> Verdict | NotYet:
    """Wait for what fires for nobody who was asked: it may never fire, or its end is yet to be heard."""
    last_ms = max(_until_ms(seen), _last_heard_ms(seen)) + _quiet_ms(seen)
    if seen.now_ms < last_ms:
        return NotYet(last_ms, "an alert about this instance may fire, and does not now")
    if any(one.pending for one in firing):
        said = (
            "no alert about this instance fires, but the condition of one holds: it is pending, and nobody knows "
            "whether it will. Look at the alert in Prometheus, and at the instance"
        )
    else:
        said = (
            "the end of an alert was not heard, and Alertmanager does not list it any more. Look at the alert "
            "itself, and that the receiver has send_resolved: true"
        )
    return Verdict(Proof.INCONCLUSIVE, Reason.NOT_HEARD, said)


def _not_heard(seen: Seen) -> Verdict:
    return Verdict(
        Proof.INCONCLUSIVE,
        Reason.NOT_HEARD,
        f"no resolve was heard within {seen.cleared_within_s:g} s of the change, and no firing once it could be "
        "over. Look at the alert itself, and that the receiver has send_resolved: true.",
    )


def _in_the_quiet(seen: Seen) -> Verdict | NotYet:
    """Nothing fires now: say whether it has been so for long enough, and whether that proves anything."""
    quiet_ms, until_ms = _quiet_ms(seen), _until_ms(seen)
    quiet_at_ms = max(_last_heard_ms(seen) + quiet_ms, seen.changed_ms + round(seen.may_fire_s * 1000))
    if seen.now_ms < quiet_at_ms:
        back = [one for one in seen.troubles if (one.heard_ms or 0) > until_ms]
        if back and seen.now_ms >= until_ms + quiet_ms:
            proof = next((one for one in back if _is_evidence(one, seen)), None)
            if proof is not None:
                return Verdict(Proof.INEFFECTIVE, Reason.STILL_FIRING, _still_fires(proof, seen))
            if any(one.shared for one in back):
                return _shared()
        left_s = (quiet_at_ms - seen.now_ms) / 1000
        return NotYet(quiet_at_ms, f"no alert fires; it must stay so for {left_s:.0f} s more")
    doubt = _doubt(seen)
    if doubt is None:
        said = "healthy and steady, and no alert about this instance fires any more; nothing is left to do"
        return Verdict(Proof.RECOVERED, Reason.CLEARED, said)
    if isinstance(doubt, NotYet) or seen.now_ms >= until_ms:
        return doubt
    return NotYet(until_ms, doubt.detail)


def _doubt(seen: Seen) -> Verdict | NotYet | None:
    """Say why the quiet proves nothing, or None where it does."""
    if any(one.holds is False for one in seen.checks):
        return _check_not_met(seen)
    if any(one.suppressed for one in seen.troubles):
        return _suppressed(seen)
    if seen.blind:
        return _blind(seen)
    if not seen.complete:
        said = (
            "no alert about this instance is known to fire, but not every alert is known: a notification was cut "
            "short, or there are too many. Set `alertmanager.url`, or look at the alert itself"
        )
        return Verdict(Proof.INCONCLUSIVE, Reason.TRUNCATED, said)
    return _unwatched(seen) or _unchecked(seen)


def _unwatched(seen: Seen) -> Verdict | None:
    if seen.watched and (seen.scraped is None or not seen.scraped.value):
        how = "is not scraped" if seen.scraped is not None else "is not known to be scraped"
        said = (
            f"no alert fires, but Prometheus can no longer tell: the instance {how} since the change. "
            "Look at its target in Prometheus (`up`), and at the instance itself"
        )
        return Verdict(Proof.INCONCLUSIVE, Reason.NOT_SCRAPED, said)
    if seen.gone:
        said = (
            f"no alert fires, but {', '.join(seen.gone[:3])}, by which the alert is judged, is no longer told of "
            "this instance: its release may not have it. Look at the instance by something that both releases tell"
        )
        return Verdict(Proof.INCONCLUSIVE, Reason.METRIC_GONE, said)
    return None


def _unchecked(seen: Seen) -> Verdict | None:
    unknown = next((one for one in seen.checks if one.holds is None), None)
    if unknown is not None:
        why = f" ({unknown.detail})" if unknown.detail else ""
        said = (
            f"whether `{unknown.promql}` holds is not known{why}. Ask it in Prometheus, and look at the instance; "
            "where it has nothing to say without traffic, write it so that it answers 0"
        )
        return Verdict(Proof.INCONCLUSIVE, Reason.CHECK_UNKNOWN, said)
    if not seen.troubles and not seen.by_hand and not seen.checks:
        said = "nothing is known any more of the alert behind this rollback. Look at the alert itself"
        return Verdict(Proof.INCONCLUSIVE, Reason.NOT_HEARD, said)
    return None


def _check_not_met(seen: Seen) -> Verdict:
    false = next(one for one in seen.checks if one.holds is False)
    why = f" ({false.detail})" if false.detail else ""
    said = f"`{false.promql}` does not hold after the change{why}: {_OTHER_CAUSE}"
    return Verdict(Proof.INEFFECTIVE, Reason.CHECK_NOT_MET, said)


def _suppressed(seen: Seen) -> Verdict:
    one = next(one for one in seen.troubles if one.suppressed)
    said = (
        f"Alertmanager keeps the alert to itself: {one.suppressed}. Whether it is over would not be told. "
        "Look at the alert itself, and at the silence"
    )
    return Verdict(Proof.INCONCLUSIVE, Reason.ALERT_SUPPRESSED, said)


def _shared() -> Verdict:
    """Say that a whole service's alert proves nothing of one instance, in neither direction."""
    said = (
        "an alert that names no instance goes on, and others of the service still run what this one left: of this "
        "one it says nothing. Look at the instance itself, and take the others back by hand if it is well; with "
        "`running:` the rule can be judged, or with `waves: [100%]` once all of them are changed"
    )
    return Verdict(Proof.INCONCLUSIVE, Reason.OTHERS_STILL_RUN_IT, said)


def _blind(seen: Seen) -> Verdict | NotYet:
    """Wait for monitoring that is away: people need it back, and no verdict without it."""
    last_ms = _until_ms(seen) + _quiet_ms(seen)
    if seen.now_ms < last_ms:
        return NotYet(last_ms, f"monitoring cannot be asked: {seen.blind}")
    said = f"monitoring could not be asked whether it helped: {seen.blind.rstrip('.')}. Look at the alert itself"
    return Verdict(Proof.INCONCLUSIVE, Reason.MONITORING_BLIND, said)


def _still_fires(trouble: Trouble, seen: Seen) -> str:
    after_s = ((trouble.heard_ms or 0) - seen.changed_ms) / 1000
    said = f"an alert about this instance was firing {after_s:.0f} s after the change ({trouble.source})"
    return f"{said}: {_OTHER_CAUSE}"


def _is_evidence(trouble: Trouble, seen: Seen) -> bool:
    """Whether it was heard firing too long after the change to speak of the time before, and not of others."""
    if trouble.shared or trouble.unlisted or trouble.pending:
        return False
    return trouble.heard_ms is not None and trouble.heard_ms > _drained_ms(seen)


def _drained_ms(seen: Seen) -> float:
    """Return until when a firing may be what is left of the time before: its resolve may never reach us.

    Two group intervals of `cleared_within_s` are for the news of the end, the rest is for the end itself. Where
    that leaves less than half of it, half: a rule may say that it hears sooner, and must be open to proof.
    """
    drains_s = max(seen.cleared_within_s - 2 * seen.group_interval_s, seen.cleared_within_s / 2)
    return seen.changed_ms + drains_s * 1000


def _last_heard_ms(seen: Seen) -> int:
    told = (at_ms for one in seen.troubles for at_ms in (one.heard_ms, one.over_ms) if at_ms is not None)
    return max((seen.changed_ms, *told))


def _until_ms(seen: Seen) -> int:
    return seen.changed_ms + round(seen.cleared_within_s * 1000)


def _quiet_ms(seen: Seen) -> int:
    return round(2000 * seen.group_interval_s)
