"""Whether what is seen can be believed: clocks that agree, and a monitoring that is not blind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.wording import clock, span
from rules.limits import CausedByRelease

if TYPE_CHECKING:
    from rules.facts import Case

CLOCKS, MONITORED = "clocks", "monitored"
_USUAL_SKEW_S = CausedByRelease().skew_s


def skew_ms(case: Case) -> float:
    """Return by how much clocks may differ."""
    limit = case.rule.guards.caused_by_release
    return (_USUAL_SKEW_S if limit is None else limit.skew_s) * 1000


def ahead(case: Case) -> tuple[str, int] | None:
    """Return what lies in the future by more than clocks may differ, and when; None where nothing does."""
    if case.alert is None:
        return None
    arrival = case.instance.arrival
    times = {
        "the alert's start": case.alert.alert.starts_at_ms,
        "the onset": case.alert.onset.value,
        **({"the release's arrival": arrival.value.by_ms} if arrival is not None else {}),
    }
    latest = case.now_ms + skew_ms(case)
    return next(((name, at) for name, at in times.items() if at > latest), None)


def clocks(case: Case) -> Answer | None:
    """Hold where something has not happened yet: nothing can be told then about what came first."""
    found = ahead(case)
    if found is None:
        return None
    name, at = found
    detail = (
        f"{name} is {clock(at)}, {span(at - case.now_ms)} ahead of now ({clock(case.now_ms)}): clocks disagree; "
        "set the clocks of Prometheus, of the target and of Redis by one time server"
    )
    return Answer(CLOCKS, Verdict.HOLD, Reason.CLOCK_SKEW, detail, (UsedFact(name, clock(at)),))


def monitored(case: Case) -> Answer | None:
    """Hold where the instance is known not to be scraped: what its alert rests on is old."""
    scraped = case.instance.scraped
    if case.alert is None or scraped is None:
        return None
    fact = used("scraped", scraped, case.now_ms, "yes" if scraped.value else "no")
    if scraped.value:
        return Answer(MONITORED, Verdict.ALLOW, detail="Prometheus scrapes it", facts=(fact,))
    detail = (
        "Prometheus does not scrape this instance, so nothing would tell whether going back helped; "
        "mend its scraping, or roll back by hand"
    )
    return Answer(MONITORED, Verdict.HOLD, Reason.MONITORING_BLIND, detail, (fact,))
