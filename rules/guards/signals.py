"""Other alerts that count: one that names another cause, one that must fire besides; and a time to wait first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.wording import clock, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.facts import AlertFacts, Case, OtherAlert
    from rules.rule import Signal

UNLESS, ALSO, LASTING = "common-cause", "corroborated", "for"
_ASK_ALERTMANAGER = (
    "not all alerts are known (the notification was cut short, and Alertmanager was not asked); "
    "configure `alertmanager:` in the settings, or raise max_alerts of the receiver"
)


def common_cause(case: Case) -> Answer | None:
    """Hold while an alert of the rule's `unless` fires: the trouble has another cause."""
    alert, signal = case.alert, case.rule.when.unless
    if alert is None or signal is None:
        return None
    facts = _facts(case, alert)
    found = next(_signals(alert, signal), None)
    if found is not None:
        detail = (
            f"{_name(found)} fires, and the rule holds while it does (`unless`); see to that first, "
            "or roll back by hand if the release is the cause"
        )
        return Answer(UNLESS, Verdict.HOLD, Reason.COMMON_CAUSE, detail, facts)
    if not alert.complete:
        detail = f"whether an alert of `unless` fires cannot be told: {_ASK_ALERTMANAGER}"
        return Answer(UNLESS, Verdict.HOLD, Reason.TRUNCATED, detail, facts)
    return Answer(UNLESS, Verdict.ALLOW, detail="no alert of `unless` fires", facts=facts)


def corroborated(case: Case) -> Answer | None:
    """Wait for the second signal that the rule asks for, and hold once it is too late for it."""
    alert, signal = case.alert, case.rule.when.also
    if alert is None or signal is None:
        return None
    facts = _facts(case, alert)
    found = next(_signals(alert, signal), None)
    if found is not None:
        return Answer(ALSO, Verdict.ALLOW, detail=f"{_name(found)} fires too (`also`)", facts=facts)
    wanted = ", ".join(str(matcher) for matcher in signal.matchers)
    until = None if signal.within_s is None else int(alert.began_ms + signal.within_s * 1000)
    if until is not None and until > case.now_ms:
        detail = f"it waits until {clock(until)} for a second signal, {wanted} (`also`); cancel to end the wait"
        return Answer(ALSO, Verdict.WAIT, Reason.NOT_CORROBORATED, detail, facts, until)
    if not alert.complete:
        detail = f"no {wanted} (`also`) is known to fire, but {_ASK_ALERTMANAGER}"
        return Answer(ALSO, Verdict.HOLD, Reason.TRUNCATED, detail, facts)
    late = "" if signal.within_s is None else f" within {span(signal.within_s * 1000)}"
    detail = f"no {wanted} fires besides{late} (`also`); roll back by hand if it is the release all the same"
    return Answer(ALSO, Verdict.HOLD, Reason.NOT_CORROBORATED, detail, facts)


def lasting(case: Case) -> Answer | None:
    """Wait until the episode has gone on for as long as the rule asks."""
    alert, for_ms = case.alert, case.rule.when.for_s * 1000
    if alert is None or for_ms <= 0:
        return None
    until = int(alert.began_ms + for_ms)
    facts = (
        UsedFact(
            "episode began", clock(alert.began_ms), "ledger", max(0.0, (case.now_ms - alert.began_ms) / 1000)
        ),
    )
    if until <= case.now_ms:
        return Answer(LASTING, Verdict.ALLOW, detail=f"it has gone on for {span(for_ms)}", facts=facts)
    detail = (
        f"the rule acts once the trouble has gone on for {span(for_ms)} (`for`), at {clock(until)}; "
        "cancel or pause before that to keep it from acting"
    )
    return Answer(LASTING, Verdict.WAIT, Reason.NOT_FOR_LONG_ENOUGH, detail, facts, until)


def _signals(alert: AlertFacts, signal: Signal) -> Iterator[OtherAlert]:
    """Yield the open alerts that are the signal."""
    judged = alert.alert
    for other in alert.others.value if alert.others else ():
        itself = bool(judged.fingerprint) and other.alert.fingerprint == judged.fingerprint
        if itself or not other.alert.firing or not signal.meant(judged.labels, other.alert.labels):
            continue
        if signal.within_s is None or _apart_ms(alert, other) <= signal.within_s * 1000:
            yield other


def _apart_ms(alert: AlertFacts, other: OtherAlert) -> int:
    """Return how far apart two alerts began: by the ledger where it knows both, else by what they say."""
    if other.since_ms is not None:
        return abs(other.since_ms - alert.began_ms)
    return abs(other.alert.starts_at_ms - alert.alert.starts_at_ms)


def _name(other: OtherAlert) -> str:
    return other.alert.labels.get("alertname") or "another alert"


def _facts(case: Case, alert: AlertFacts) -> tuple[UsedFact, ...]:
    count = str(len(alert.others.value)) if alert.others else None
    return (used("other alerts", alert.others, case.now_ms, count),)
