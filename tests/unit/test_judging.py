"""One outcome, one reason: refuse, nothing to go back to, hold, wait, ask, observe, roll back, in this order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testbed.judged import (
    HOUR,
    MINUTE,
    NOW,
    RULE,
    SEEN,
    V1,
    V2,
    V3,
    WEB1,
    WEB2,
    alert_facts,
    arrived,
    case,
    fact,
    guarded,
    instance_facts,
)

from rules.catalogue import Catalogue
from rules.decisions import Outcome, Reason
from rules.facts import Arrival, Book, Case, Demotion, Fact, Hand, Lock, Pause, Peer
from rules.guards import BIND_PERSONS, GUARDS
from rules.guards.answers import Verdict
from rules.guards.calendar import window
from rules.judgement import Judgement
from rules.judging import best, judge, judge_all
from rules.limits import CausedByRelease, Compare, Policy
from rules.marks import Mark, Marked
from rules.observations import Observation
from rules.rule import Mode
from rules.to import Previous, Version

BAD = Marked(Mark.KNOWN_BAD, "rollback r0")
PAUSED = Book(pauses=(Pause("", "kim"),))
ALWAYS = window("always", timezone="UTC", from_="00:00", to="24:00")
FROZEN = Policy(windows={"always": ALWAYS}, freeze=("always",))
WAITING = replace(RULE, when=replace(RULE.when, for_s=3600.0))
NOTHING = replace(case().service, catalogue=Catalogue())
ALL_BAD = replace(case().service, catalogue=Catalogue(marks={"v1": BAD, "v2": BAD}))
STALE = arrived(NOW)


@pytest.mark.parametrize(
    ("name", "judged", "outcome", "reason"),
    [
        ("refuse over a pause", case(instance=STALE, book=PAUSED), Outcome.REFUSE, Reason.PREDATES_RELEASE),
        ("nothing left over a pause", case(service=ALL_BAD, book=PAUSED), Outcome.HOLD, Reason.NO_CANDIDATE),
        ("a pause over a wait", case(rule=WAITING, book=PAUSED), Outcome.HOLD, Reason.PAUSED_BY_PERSON),
        (
            "a wait over a freeze that asks",
            case(rule=WAITING, policy=FROZEN),
            Outcome.HOLD,
            Reason.NOT_FOR_LONG_ENOUGH,
        ),
        ("a freeze over day one", case(service=NOTHING, policy=FROZEN), Outcome.ASK, Reason.FROZEN),
        (
            "day one over the mode",
            case(service=NOTHING, rule=replace(RULE, mode=Mode.ASK)),
            Outcome.ASK,
            Reason.NOTHING_KNOWN_GOOD,
        ),
        ("it asks", case(rule=replace(RULE, mode=Mode.ASK)), Outcome.ASK, Reason.ASK_MODE),
        (
            "demoted",
            case(book=Book(demoted={"canary": Demotion("r0 did not help", NOW - 1)})),
            Outcome.ASK,
            Reason.DEMOTED,
        ),
        ("the policy's ceiling", case(policy=Policy(ceiling="ask")), Outcome.ASK, Reason.POLICY_CEILING),
        ("it observes", case(rule=replace(RULE, mode=Mode.OBSERVE)), Outcome.OBSERVE, Reason.OBSERVE_MODE),
        ("all observe", case(policy=Policy(ceiling="observe")), Outcome.OBSERVE, Reason.POLICY_CEILING),
        (
            "an observer does not ask",
            case(rule=replace(RULE, mode=Mode.OBSERVE), policy=FROZEN),
            Outcome.OBSERVE,
            Reason.OBSERVE_MODE,
        ),
        (
            "an observer is held",
            case(rule=replace(RULE, mode=Mode.OBSERVE), book=PAUSED),
            Outcome.HOLD,
            Reason.PAUSED_BY_PERSON,
        ),
        (
            "an observer refuses",
            case(rule=replace(RULE, mode=Mode.OBSERVE), instance=STALE),
            Outcome.REFUSE,
            Reason.PREDATES_RELEASE,
        ),
        ("it acts", case(), Outcome.ROLL_BACK, Reason.ALLOWED),
    ],
)
def test_the_strongest_word_counts(name: str, judged: Case, outcome: Outcome, reason: Reason) -> None:
    found = judge(judged)
    assert (found.outcome, found.reason) == (outcome, reason), name
    assert found.detail
    assert judge(judged) == found


def test_all_history_bad_holds() -> None:
    """Trap 13: there is nothing to go back to, and a person is told what was dropped and why."""
    found = judge(case(service=ALL_BAD))
    assert (found.outcome, found.to, found.wait) == (Outcome.HOLD, None, False)
    assert "v2" in found.detail
    assert "v1" in found.detail


def test_day_one_proposes_the_best_unknown() -> None:
    found = judge(case(service=NOTHING))
    assert (found.outcome, found.reason, found.to) == (Outcome.ASK, Reason.NOTHING_KNOWN_GOOD, "v2")


def test_trap_13_two_rollbacks_in_a_row_no_a_b_a_oscillation() -> None:
    """v3 was left for v2; v2 came to be bad as well, and goes to v1: never to v3, whatever `to` says."""
    now_v2 = instance_facts(
        running="v2", left=frozenset({"v3"}), observation=Observation("v2", "a", 0, (V1, V2, V3))
    )
    for to in ((Previous(),), (Version("v3"), Previous()), RULE.to):
        assert judge(case(rule=replace(RULE, to=to), instance=now_v2)).to == "v1"
    by_us = replace(now_v2, arrival=fact(Arrival(NOW - HOUR, hand=Hand.ROLLBACK)))
    assert judge(case(instance=by_us)).reason is Reason.EFFECT_ALREADY_MADE


def test_trap_14_host_unreachable_during_last_deploy_has_different_n_1() -> None:
    """Each goes back to what it has itself: v3 never came to the second, whose N-1 is v1."""
    peers = (Peer(WEB1, ("v3",)), Peer(WEB2, ("v3",)))
    whole = instance_facts(WEB1)
    missed = instance_facts(WEB2, observation=replace(SEEN, releases=(V1, V3)))
    shop = replace(case().service, peers=fact(peers))
    rule = replace(guarded(affected=replace(RULE.guards.affected, max_share=1.0)), to=(Previous(),))
    found = judge_all([case(rule=rule, instance=one, service=shop) for one in (whole, missed)])
    assert [one.to for one in found] == ["v2", "v1"]


def test_without_an_observation_there_is_no_choice() -> None:
    """Offline the guards are asked all the same."""
    found = judge(case(instance=instance_facts(observation=None)))
    assert (found.outcome, found.choice, found.to) == (Outcome.ROLL_BACK, None, None)


BY_HAND = case(alert=None)


@pytest.mark.parametrize(
    ("name", "judged", "reason"),
    [
        ("nothing is in the way", BY_HAND, Reason.ALLOWED),
        ("a pause is for rules", replace(BY_HAND, book=PAUSED), Reason.ALLOWED),
        ("a rule that observes", replace(BY_HAND, rule=replace(RULE, mode=Mode.OBSERVE)), Reason.ALLOWED),
        ("its own rollback before", replace(BY_HAND, instance=instance_facts(made_by="r1")), Reason.ALLOWED),
        (
            "a deploy",
            replace(BY_HAND, service=replace(BY_HAND.service, lock=fact(Lock("ci")))),
            Reason.DEPLOY_LOCKED,
        ),
        ("a freeze", replace(BY_HAND, policy=FROZEN), Reason.FROZEN),
    ],
)
def test_persons_are_bound_by_some_guards(name: str, judged: Case, reason: Reason) -> None:
    found = judge(judged)
    assert found.reason is reason, name
    assert {one.guard for one in found.answers} <= BIND_PERSONS


def test_a_guard_is_overridden_by_its_name() -> None:
    """It is asked all the same, and the answer says what it would have said."""
    found = judge(replace(BY_HAND, policy=FROZEN, overridden=frozenset({"frozen"})))
    assert found.outcome is Outcome.ROLL_BACK
    (answer,) = [one for one in found.answers if one.guard == "frozen"]
    assert answer.verdict is Verdict.ALLOW
    assert "overridden by frozen; it said ask" in answer.detail


def test_guards_have_names_of_their_own() -> None:
    """In a fixed order; each answers under its own name."""
    names = [name for name, _ in GUARDS]
    assert len(set(names)) == len(names)
    assert set(names) >= BIND_PERSONS
    assert names[-1] == "waves"
    asked = [one.guard for one in judge(case()).answers]
    assert asked == [name for name in names if name in asked]


SUSPECTS = replace(RULE, target=replace(RULE.target, arrived_within_s=7200.0))


def suspects(*came_ms: int | None, compare: bool = False) -> list[Case]:
    rule = replace(SUSPECTS, guards=replace(RULE.guards, affected=replace(RULE.guards.affected, max_share=1.0)))
    answers = {}
    if compare:
        caused = CausedByRelease(compare=Compare("version", "errors"))
        rule = replace(rule, guards=replace(rule.guards, caused_by_release=caused))
    peers = [Peer(f"web{at}", ("v3",), healthy=True) for at in range(len(came_ms))]
    return [
        case(
            rule=rule,
            instance=instance_facts(f"web{at}", arrival=None if came is None else fact(Arrival(came))),
            service=replace(case().service, peers=fact(tuple(peers))),
            answers=answers,
        )
        for at, came in enumerate(came_ms)
    ]


@pytest.mark.parametrize(
    ("name", "cases", "reasons"),
    [
        (
            "one of three",
            suspects(NOW - HOUR, NOW - 9 * HOUR, NOW - 99 * HOUR),
            [Reason.ALLOWED, *[Reason.NOT_SELECTED] * 2],
        ),
        ("two", suspects(NOW - HOUR, NOW - HOUR), [Reason.SUSPECTS_MANY] * 2),
        ("one that came after", suspects(NOW - HOUR, NOW), [Reason.ALLOWED, Reason.PREDATES_RELEASE]),
        ("one that may have come", suspects(NOW - HOUR, None), [Reason.SUSPECTS_MANY, Reason.RELEASE_UNKNOWN]),
        ("PromQL tells", suspects(NOW - HOUR, NOW - HOUR, compare=True), [Reason.MONITORING_BLIND] * 2),
        ("none", suspects(NOW - 9 * HOUR), [Reason.NOT_SELECTED]),
        ("no instance at all", [], []),
    ],
)
def test_the_suspects_of_an_alert_that_names_no_instance(
    name: str, cases: list[Case], reasons: list[Reason]
) -> None:
    """`arrived-within`: those to which a release came lately; one goes back, several are asked about."""
    assert [one.reason for one in judge_all(cases)] == reasons, name
    assert all(one.outcome is Outcome.NO_MATCH for one in judge_all(cases) if one.reason is Reason.NOT_SELECTED)


def test_the_best_of_several_alerts() -> None:
    """What does most counts, and what goes on by itself before what a person has to see to."""
    kinds = [
        Judgement("i", Outcome.ROLL_BACK, Reason.ALLOWED, ""),
        Judgement("i", Outcome.ASK, Reason.ASK_MODE, ""),
        Judgement("i", Outcome.OBSERVE, Reason.OBSERVE_MODE, ""),
        Judgement("i", Outcome.HOLD, Reason.WAVE, "", wait=True),
        Judgement("i", Outcome.HOLD, Reason.STORM, ""),
        Judgement("i", Outcome.REFUSE, Reason.STALE, ""),
        Judgement("i", Outcome.NO_MATCH, Reason.NOT_SELECTED, ""),
    ]
    for at, kind in enumerate(kinds):
        assert best(reversed(kinds[at:])) is kind
    first, second = kinds[4], replace(kinds[4], reason=Reason.FROZEN)
    assert best([first, second]) is first


def test_the_onsets_source_is_told() -> None:
    """Whether Prometheus said so, or it is no more than a guess."""
    told = replace(alert_facts(), onset=Fact(NOW - 5 * MINUTE, "startsAt minus alert-for"))
    assert "startsAt minus alert-for" in judge(case(alert=told)).detail
