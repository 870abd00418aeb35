"""One judgement of one case: every guard, the release to go back to, and what the rule may do on its own.

Precedence: refuse, nothing to go back to, hold, wait, ask, observe, roll back. Within one strength the first guard
gives the reason. A rule that observes never asks a person: it records that it would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.decisions import Outcome, Reason
from rules.guards import BIND_PERSONS, GUARDS
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.capacity import AFFECTED, affected
from rules.guards.names import Same, running
from rules.guards.wording import clock, listed, span
from rules.judgement import Judgement
from rules.releases import choose
from rules.rule import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.facts import Case
    from rules.releases import Choice

SUSPECTS = "suspects"
"""The answer about an alert that names no instance; only `judge_all` can give it."""

_NO_ANSWERS: Mapping[str, Answer] = {}
_STRENGTH = (Verdict.REFUSE, Verdict.HOLD, Verdict.WAIT, Verdict.ASK)
_ACTING = (Outcome.ROLL_BACK, Outcome.ASK, Outcome.OBSERVE)


def judge(case: Case) -> Judgement:
    """Judge one case. Total, and the same for the same case."""
    return _judge(case, _NO_ANSWERS)


def judge_all(cases: Sequence[Case]) -> tuple[Judgement, ...]:
    """Judge the instances that one alert could mean under one rule together, in their order.

    Beyond `judge`: those to which nothing came lately are not selected (`arrived-within`), several suspects are
    asked about, and what one campaign would touch is counted over all of them.
    """
    selected = [_not_lately(case) for case in cases]
    alone = [judge(case) for case in cases]
    suspects = [
        case
        for case, out, found in zip(cases, selected, alone, strict=True)
        if out is None and found.outcome is not Outcome.REFUSE
    ]
    return tuple(
        out if out is not None else _judge(case, _together(case, suspects, cases, alone))
        for case, out in zip(cases, selected, strict=True)
    )


def best(judgements: Iterable[Judgement]) -> Judgement:
    """Return the judgement that does most, the first of equals: several alerts may stand behind one rollback.

    Raises ValueError where there is none.
    """
    return min(judgements, key=_rank)


def _rank(judgement: Judgement) -> int:
    order = (Outcome.ROLL_BACK, Outcome.ASK, Outcome.OBSERVE, Outcome.HOLD, Outcome.REFUSE, Outcome.NO_MATCH)
    return 2 * order.index(judgement.outcome) - (judgement.outcome is Outcome.HOLD and judgement.wait)


def _judge(case: Case, also: Mapping[str, Answer]) -> Judgement:
    answers = _answers(case, also)
    choice = _choice(case)
    to = None if choice is None else choice.chosen or choice.proposed
    ruled = _ruled(case, answers, choice)
    return Judgement(
        case.instance.id,
        ruled.outcome,
        ruled.reason,
        ruled.detail,
        None if ruled.outcome is Outcome.REFUSE else to,
        answers,
        choice,
        ruled.wait,
        ruled.until_ms,
    )


@dataclass(frozen=True, slots=True)
class _Ruled:
    outcome: Outcome
    reason: Reason
    detail: str
    wait: bool = False
    until_ms: int | None = None


def _ruled(case: Case, answers: tuple[Answer, ...], choice: Choice | None) -> _Ruled:
    said = {
        verdict: next((answer for answer in answers if answer.verdict is verdict), None) for verdict in _STRENGTH
    }
    if (refused := said[Verdict.REFUSE]) is not None:
        return _Ruled(Outcome.REFUSE, refused.reason, refused.detail)
    if choice is not None and choice.chosen is None and choice.proposed is None:
        return _Ruled(Outcome.HOLD, choice.reason, _nothing_left(choice))
    for held in (said[Verdict.HOLD], said[Verdict.WAIT]):
        if held is not None:
            wait = held.verdict is Verdict.WAIT
            return _Ruled(Outcome.HOLD, held.reason, held.detail, wait, held.until_ms)
    asked = _asked(case, said[Verdict.ASK], choice)
    if case.alert is not None and case.mode is Mode.OBSERVE:
        return _observed(case, asked, choice)
    return asked or _Ruled(Outcome.ROLL_BACK, Reason.ALLOWED, _why_sure(answers))


def _asked(case: Case, guard: Answer | None, choice: Choice | None) -> _Ruled | None:
    """Say why a person is asked; None where nobody has to be."""
    if guard is not None:
        return _Ruled(Outcome.ASK, guard.reason, guard.detail, until_ms=guard.until_ms)
    if choice is not None and choice.chosen is None:
        detail = (
            f"no other release here was ever known to be good; {choice.proposed} is the best of those that "
            "nothing is known of: approve it, or deny, and declare good ones with `rollbackctl releases good`"
        )
        return _Ruled(Outcome.ASK, Reason.NOTHING_KNOWN_GOOD, detail)
    if case.alert is None or case.mode is not Mode.ASK:
        return None
    if case.rule.mode is Mode.ASK:
        return _Ruled(Outcome.ASK, Reason.ASK_MODE, f"rule {case.rule.name} asks first; approve or deny")
    if (demoted := case.book.demoted.get(case.rule.name)) is not None:
        detail = (
            f"rule {case.rule.name} may only ask since {clock(demoted.at_ms)} ({demoted.why}); approve or deny, "
            "and promote the rule once it is right again"
        )
        return _Ruled(Outcome.ASK, Reason.DEMOTED, detail)
    detail = "the settings' policy lets no rule do more than ask; approve or deny, or raise its `mode`"
    return _Ruled(Outcome.ASK, Reason.POLICY_CEILING, detail)


def _observed(case: Case, asked: _Ruled | None, choice: Choice | None) -> _Ruled:
    own = case.rule.mode is Mode.OBSERVE
    to = (choice.chosen or choice.proposed) if choice else None
    would = f"gone back to {to}" if to else "rolled back"
    if asked is not None:
        would = f"asked a person ({asked.reason}: {asked.detail})"
    who = f"rule {case.rule.name}" if own else "the settings' policy"
    detail = f"it would have {would}, but {who} only observes; set `mode: {'act' if own else 'ask'}` to let it"
    return _Ruled(Outcome.OBSERVE, Reason.OBSERVE_MODE if own else Reason.POLICY_CEILING, detail)


def _nothing_left(choice: Choice) -> str:
    dropped = [f"{one.release}: {one.detail}" for one in choice.candidates]
    what = "; ".join(dropped[:3]) + (f"; and {len(dropped) - 3} more" if len(dropped) > 3 else "")
    ask = "deploy a release that is good, or name one by hand: rollbackctl rollback --to"
    return f"there is nothing to go back to ({what or 'no release was found'}); {ask}"


def _why_sure(answers: tuple[Answer, ...]) -> str:
    causal = next((answer.detail for answer in answers if answer.guard == "caused-by-release"), "")
    return causal or "no guard keeps it back"


def _answers(case: Case, also: Mapping[str, Answer]) -> tuple[Answer, ...]:
    person = case.alert is None
    out = [] if SUSPECTS not in also else [also[SUSPECTS]]
    for name, guard in GUARDS:
        if person and name not in BIND_PERSONS:
            continue
        answer = also.get(name) or guard(case)
        if answer is not None:
            out.append(_overridden(answer) if name in case.overridden else answer)
    return tuple(out)


def _overridden(answer: Answer) -> Answer:
    said = "allow" if answer.verdict is Verdict.ALLOW else f"{answer.verdict}: {answer.detail}"
    return Answer(
        answer.guard, Verdict.ALLOW, detail=f"overridden by {answer.guard}; it said {said}", facts=answer.facts
    )


def _choice(case: Case) -> Choice | None:
    seen = case.instance.observation
    if seen is None:
        return None
    return choose(
        case.rule.to,
        seen,
        case.instance.left,
        override=case.alert is None,
        catalogue=case.service.catalogue,
        platform=case.instance.platform or seen.platform,
        overridden=case.overridden,
    )


def _not_lately(case: Case) -> Judgement | None:
    """Say that an instance is not selected, where nothing came to it within the rule's `arrived-within`."""
    within_s, arrival = case.rule.target.arrived_within_s, case.instance.arrival
    if within_s is None or case.alert is None or arrival is None:
        return None
    if case.alert.onset.value - arrival.value.by_ms <= within_s * 1000:
        return None
    detail = (
        f"the last release came at {clock(arrival.value.by_ms)}, more than {span(within_s * 1000)} before the "
        "trouble began (`arrived-within`); roll back by hand if it is the cause all the same"
    )
    fact = used("arrival", arrival, case.now_ms, clock(arrival.value.by_ms))
    answer = Answer(SUSPECTS, Verdict.REFUSE, Reason.NOT_SELECTED, detail, (fact,))
    return Judgement(case.instance.id, Outcome.NO_MATCH, Reason.NOT_SELECTED, detail, answers=(answer,))


def _together(
    case: Case, suspects: Sequence[Case], cases: Sequence[Case], alone: Sequence[Judgement]
) -> Mapping[str, Answer]:
    """Answer what one case alone cannot: how many are suspected, and how many one campaign would touch."""
    joined = frozenset(
        other.instance.id
        for other, judgement in zip(cases, alone, strict=True)
        if judgement.outcome in _ACTING and _one_campaign(case, other)
    )
    also = {AFFECTED: affected(case, joined)} if case.instance.id in joined else {}
    caused = case.rule.guards.caused_by_release
    compares = caused is not None and caused.compare is not None
    if case.rule.target.arrived_within_s is not None and len(suspects) > 1 and not compares:
        names = listed(suspect.instance.id for suspect in suspects)
        detail = (
            f"the alert names no instance, and releases came lately to {len(suspects)}: {names}; say which one is "
            "the cause and approve it, or give the rule a `compare`"
        )
        fact = UsedFact("suspects", names)
        also[SUSPECTS] = Answer(SUSPECTS, Verdict.ASK, Reason.SUSPECTS_MANY, detail, (fact,))
    return also


def _one_campaign(case: Case, other: Case) -> bool:
    """Whether two instances would go back in one campaign: the same release of the same service."""
    ours, theirs = running(case), running(other)
    here, there = case.service, other.service
    if (here.name, here.environment) != (there.name, there.environment) or ours is None or theirs is None:
        return False
    return ours.same_as(theirs) is Same.YES
