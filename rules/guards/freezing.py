"""Freeze windows: while one is open a person is asked, or nothing is done at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import Answer, UsedFact, Verdict
from rules.guards.calendar import Window
from rules.guards.wording import clock, listed

if TYPE_CHECKING:
    from rules.facts import Case

FROZEN = "frozen"


def frozen(case: Case) -> Answer | None:
    """Ask, or hold where a window says so, while a window of the policy or of the rule is open."""
    names = tuple(dict.fromkeys((*case.policy.freeze, *case.rule.guards.freeze)))
    if not names:
        return None
    windows = [case.policy.windows.get(name) for name in names]
    missing = [name for name, one in zip(names, windows, strict=True) if not isinstance(one, Window)]
    if missing:
        detail = (
            f"the settings' policy has no freeze window {listed(missing)}, so nobody can tell whether it is open; "
            "add it to the policy, or take its name out of `freeze`"
        )
        return Answer(FROZEN, Verdict.HOLD, Reason.FROZEN, detail)
    facts, open_now = _look([one for one in windows if isinstance(one, Window)], case.now_ms)
    if not open_now:
        return Answer(FROZEN, Verdict.ALLOW, detail=f"not open now: {listed(names)}", facts=facts)
    holding = [(window, until) for window, until in open_now if window.then == "hold"]
    verdict = Verdict.HOLD if holding else Verdict.ASK
    window, until = max(holding or open_now, key=lambda one: one[1])
    way = "nothing is done until then" if holding else "going back is asked, not forbidden: approve or deny"
    detail = f"freeze window {window.name} ({window.text}) is open until {clock(until)}; {way}"
    if holding:
        detail += ", but by hand with --override frozen"
    return Answer(FROZEN, verdict, Reason.FROZEN, detail, facts, until)


def _look(windows: list[Window], now_ms: int) -> tuple[tuple[UsedFact, ...], list[tuple[Window, int]]]:
    untils = [(window, window.open_until(now_ms)) for window in windows]
    facts = tuple(
        UsedFact(
            f"freeze window {window.name}", "closed" if until is None else f"open until {clock(until)}", "policy"
        )
        for window, until in untils
    )
    return facts, [(window, until) for window, until in untils if until is not None]
