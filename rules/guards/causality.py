"""Is the release the cause? It runs here, it came not long before the trouble, and only it is troubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.comparing import compared
from rules.guards.elsewhere import elsewhere, needs_absence
from rules.guards.names import names_another, running
from rules.guards.seeing import ahead, skew_ms
from rules.guards.wording import clock, span

if TYPE_CHECKING:
    from rules.facts import AlertFacts, Arrival, Case, Fact

STALE, CAUSED = "stale-alert", "caused-by-release"


_IN_STEP_MS = 5_000
"""Clocks that are kept in step differ by less. Beyond it, up to `skew`, nobody knows which was first."""


def stale_alert(case: Case) -> Answer | None:
    """Refuse an alert that names another known release than the one that runs here: that one is gone already."""
    if case.alert is None or case.rule.guards.caused_by_release is None:
        return None
    named, ours = names_another(case, case.alert.alert.labels), running(case)
    if named is None or ours is None:
        return None
    label, word = named
    facts = (
        UsedFact(f"label {label}", word, "the alert"),
        used("running", case.instance.running, case.now_ms, ours.name),
    )
    detail = (
        f"the alert is about {word} (label {label}), and {ours.name} runs here by now; nothing is to be done, "
        "unless the alert goes on: then look at why it still names the old release"
    )
    return Answer(STALE, Verdict.REFUSE, Reason.STALE, detail, facts)


def caused_by_release(case: Case) -> Answer | None:
    """Refuse where the release is not the cause, and hold where nobody can tell.

    Times that lie in the future are no facts to judge by; the guard of clocks holds then.
    """
    alert, limit = case.alert, case.rule.guards.caused_by_release
    if alert is None or limit is None or ahead(case) is not None:
        return None
    facts = _facts(case, alert)
    if running(case) is None or case.instance.arrival is None:
        return Answer(CAUSED, Verdict.HOLD, Reason.RELEASE_UNKNOWN, _unknown(case), facts)
    timed = _timed(case, alert, case.instance.arrival, limit.within_s * 1000)
    if timed is not None:
        verdict, reason, detail = timed
        return Answer(CAUSED, verdict, reason, detail, facts)
    return _differential(case, alert, facts)


def _differential(case: Case, alert: AlertFacts, facts: tuple[UsedFact, ...]) -> Answer:
    """Ask whether those that do not run the release are troubled alike: of the alerts, and of PromQL."""
    others, samples = elsewhere(case), compared(case)
    facts = (*facts, *others.facts, *(samples.facts if samples else ()))
    for found in (others, samples):
        if found is not None and found.verdict is not Verdict.ALLOW:
            return Answer(CAUSED, found.verdict, found.reason, found.detail, facts)
    if samples is None and not alert.complete and needs_absence(case):
        detail = (
            "not all alerts are known (the notification was cut short, and Alertmanager was not asked), so nobody "
            "can tell whether other releases are troubled alike; configure `alertmanager:` in the settings, or "
            "raise max_alerts of the receiver"
        )
        return Answer(CAUSED, Verdict.HOLD, Reason.TRUNCATED, detail, facts)
    said = "; ".join(
        part for part in (_in_time(case, alert), others.detail, samples.detail if samples else "") if part
    )
    return Answer(CAUSED, Verdict.ALLOW, detail=said, facts=facts)


def _timed(
    case: Case, alert: AlertFacts, arrival: Fact[Arrival], within_ms: float
) -> tuple[Verdict, Reason, str] | None:
    onset, came, skew = alert.onset.value, arrival.value, skew_ms(case)
    ours = running(case)
    name = ours.name if ours else "the release"
    began = f"the trouble began at {clock(onset)} ({alert.onset.source})"
    if came.earliest_ms > onset + skew:
        after = span(came.earliest_ms - onset)
        detail = f"{began}, {after} before {name} arrived here ({clock(came.earliest_ms)}); look for another cause"
        return Verdict.REFUSE, Reason.PREDATES_RELEASE, detail
    if came.by_ms > onset + min(skew, _IN_STEP_MS) and came.earliest_ms == came.by_ms:
        after = span(came.by_ms - onset)
        detail = (
            f"{began}, {after} before {name} arrived here, which is less than clocks may differ ({span(skew)}): "
            "nobody can tell which was first; look at the deployer's log, and roll back by hand if the release was"
        )
        return Verdict.HOLD, Reason.RELEASE_UNKNOWN, detail
    if came.by_ms > onset + min(skew, _IN_STEP_MS):
        detail = (
            f"{began}, and {name} arrived some time between {clock(came.earliest_ms)} and {clock(came.by_ms)}: "
            "nobody can tell which was first; look at the deployer's log, and roll back by hand if the release was"
        )
        return Verdict.HOLD, Reason.RELEASE_UNKNOWN, detail
    if onset - came.by_ms > within_ms:
        detail = (
            f"{began}, {span(onset - came.by_ms)} after {name} arrived here, longer than the {span(within_ms)} of "
            "`caused-by-release`; look for another cause, or raise `within` if a release can go bad so late"
        )
        return Verdict.REFUSE, Reason.RELEASE_TOO_OLD, detail
    return None


def _in_time(case: Case, alert: AlertFacts) -> str:
    arrival, ours = case.instance.arrival, running(case)
    if arrival is None or ours is None:
        return ""
    before = alert.onset.value - arrival.value.by_ms
    how = f"{span(before)} {'before' if before >= 0 else 'after'} the trouble began ({alert.onset.source})"
    return f"{ours.name} arrived {how}"


def _unknown(case: Case) -> str:
    name = case.instance.id
    seen = case.instance.running
    if seen is None:
        return f"it is not known what {name} runs; run `rollbackctl doctor` to see why it is not observed"
    if not seen.value:
        return f"{name} runs no release; deploy one, or roll back by hand to one that is there"
    return (
        f"it is not known when {seen.value[0]} came to {name}; it is known from the next arrival on, "
        "until then roll back by hand"
    )


def _facts(case: Case, alert: AlertFacts) -> tuple[UsedFact, ...]:
    ours, arrival = running(case), case.instance.arrival
    return (
        used("running", case.instance.running, case.now_ms, ours.name if ours else "nothing"),
        used("arrival", arrival, case.now_ms, _when(arrival.value) if arrival else None),
        used("onset", alert.onset, case.now_ms, clock(alert.onset.value)),
    )


def _when(arrival: Arrival) -> str:
    if arrival.earliest_ms == arrival.by_ms:
        return clock(arrival.by_ms)
    return f"between {clock(arrival.earliest_ms)} and {clock(arrival.by_ms)}"
