"""How often: a cooldown for each instance, and limits on how many campaigns may start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.campaigns import campaign_of, went_back
from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.names import running
from rules.guards.wording import clock, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rules.facts import Case
    from rules.limits import Limits

COOLDOWN, LIMITS = "cooldown", "limits"
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000


def cooldown(case: Case) -> Answer | None:
    """Hold an instance that went back a short while ago, unless that was for this very campaign."""
    last, limit_ms = case.instance.last_change, case.rule.guards.cooldown_s * 1000
    if last is None or limit_ms <= 0:
        return None
    until = int(last.value.at_ms + limit_ms)
    fact = used("last change", last, case.now_ms, f"rollback {last.value.rollback} at {clock(last.value.at_ms)}")
    same = bool(last.value.campaign) and last.value.campaign == campaign_id(case)
    if same and not went_back(case.campaign, case.instance.id):
        return Answer(COOLDOWN, Verdict.ALLOW, detail="its last change was for this campaign", facts=(fact,))
    if until <= case.now_ms:
        detail = f"its last change is longer ago than {span(limit_ms)}"
        return Answer(COOLDOWN, Verdict.ALLOW, detail=detail, facts=(fact,))
    detail = (
        f"rollback {last.value.rollback} changed it at {clock(last.value.at_ms)}, and it is left alone for "
        f"{span(limit_ms)}, until {clock(until)}; look at why it is in trouble again, or roll back by hand"
    )
    return Answer(COOLDOWN, Verdict.HOLD, Reason.COOLDOWN, detail, (fact,), until)


def limits(case: Case) -> Answer | None:
    """Hold where as many campaigns have started as may; one that has started consumes nothing more."""
    starts = {start.id: start for start in sorted(case.book.starts, key=lambda one: one.at_ms)}
    own = campaign_id(case)
    if own in starts and not went_back(case.campaign, case.instance.id, ever=False):
        return Answer(LIMITS, Verdict.ALLOW, detail="its campaign has started, and is counted already")
    of_rule = [start.at_ms for start in starts.values() if start.rule == case.rule.name]
    of_all = [start.at_ms for start in starts.values()]
    asked = [(f"rule {case.rule.name}" if case.rule.name else "no rule", of_rule, case.rule.guards.limits)]
    if case.policy.limits is not None:
        asked.append(("the policy", of_all, case.policy.limits))
    facts = tuple(
        UsedFact(
            f"campaigns under {who}",
            f"{_within(ats, _HOUR_MS, case)} in an hour, {_within(ats, _DAY_MS, case)} in a day",
            "ledger",
        )
        for who, ats, _ in asked
    )
    reached = [found for who, ats, limit in asked for found in _reached(who, ats, limit, case)]
    if not reached:
        return Answer(LIMITS, Verdict.ALLOW, detail="another campaign may start", facts=facts)
    said, until = max(reached, key=lambda one: (one[1] is None, one[1] or 0))
    when = f"the next may start at {clock(until)}" if until is not None else "none may start"
    detail = f"{said}; {when}: look at why so much goes wrong, raise the limit, or roll back by hand"
    return Answer(LIMITS, Verdict.HOLD, Reason.LIMIT_REACHED, detail, facts, until)


def campaign_id(case: Case) -> str:
    """Return the id of the campaign that this instance belongs to, or would open."""
    if case.campaign.id:
        return case.campaign.id
    ours = running(case)
    return campaign_of(case.rule.name, case.service.name, case.service.environment, ours.word if ours else "")


def _reached(who: str, ats: list[int], limit: Limits, case: Case) -> Iterator[tuple[str, int | None]]:
    """Yield each limit that is reached, and when it allows one more."""
    for name, window, most in (("hour", _HOUR_MS, limit.per_hour), ("day", _DAY_MS, limit.per_day)):
        counted = sorted(at for at in ats if at > case.now_ms - window)
        if len(counted) >= most:
            until = counted[len(counted) - most] + window if most > 0 else None
            yield f"{who} allows {most} campaigns in one {name}, and {len(counted)} have started", until


def _within(ats: Iterable[int], window_ms: int, case: Case) -> int:
    return sum(1 for at in ats if at > case.now_ms - window_ms)
