"""A pause, a deploy's lock, a storm, another cause, a missing second signal, a requirement, a time to wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testbed.judged import (
    MINUTE,
    NOW,
    RULE,
    alert,
    alert_facts,
    case,
    fact,
    instance_facts,
    other,
)

from rules.decisions import Outcome, Reason
from rules.facts import Book, Case, Lock, Pause, Sample
from rules.guards.asking import queries
from rules.judging import judge
from rules.limits import CausedByRelease, Compare, Condition, Policy, Requirement, StormBrake
from rules.matchers import parse_matchers
from rules.rule import Signal

HOLD, GO, REFUSE = Outcome.HOLD, Outcome.ROLL_BACK, Outcome.REFUSE


def said(judged: Case) -> tuple[Outcome, Reason]:
    found = judge(judged)
    return found.outcome, found.reason


@pytest.mark.parametrize(
    ("pause", "holds"),
    [
        (Pause("", "kim"), True),
        (Pause("service shop", "kim"), True),
        (Pause("rule canary", "kim"), True),
        (Pause("service blog", "kim"), False),
        (Pause("rule other", "kim"), False),
        (Pause("", "kim", until_ms=NOW + 1), True),
        (Pause("", "kim", until_ms=NOW), False),
    ],
)
def test_a_pause_holds_until_it_ends(pause: Pause, holds: bool) -> None:
    found = judge(case(book=Book(pauses=(pause,))))
    assert (found.reason is Reason.PAUSED_BY_PERSON) == holds
    assert found.until_ms == (pause.until_ms if holds else None)


def test_the_pause_that_lasts_longest_is_told() -> None:
    pauses = (Pause("", "kim", until_ms=NOW + 1), Pause("service shop", "lee", "migration"))
    found = judge(case(book=Book(pauses=pauses)))
    assert "lee paused service shop until a person ends it (migration)" in found.detail


def test_a_deploy_lock_holds_while_it_lasts() -> None:
    locked = replace(case().service, lock=fact(Lock("ci", "v4", NOW + MINUTE)))
    found = judge(case(service=locked))
    assert (found.outcome, found.reason, found.until_ms) == (HOLD, Reason.DEPLOY_LOCKED, NOW + MINUTE)
    assert judge(case(service=replace(locked, lock=fact(Lock("ci", "", NOW))))).outcome is GO


def test_only_what_opted_in_is_touched() -> None:
    """Every label that the policy asks for, with one of its values."""
    asked = Policy(opt_in={"rollback": ("yes", "true"), "team": ()})
    for labels, outcome in (
        ({"rollback": "yes", "team": "web"}, GO),
        ({"rollback": "yes"}, REFUSE),
        ({"rollback": "no", "team": "web"}, REFUSE),
        ({}, REFUSE),
    ):
        found = judge(case(instance=instance_facts(labels=labels), policy=asked))
        assert found.outcome is outcome
        assert outcome is GO or found.reason is Reason.NOT_OPTED_IN


def test_a_storm_is_not_one_release() -> None:
    """More services than the policy takes for coincidence, until enough of them fall out of the window."""
    storm = {f"s{at}": NOW - at * 1000 for at in range(11)}
    found = judge(case(book=Book(storm=storm)))
    assert (found.outcome, found.reason, found.until_ms) == (HOLD, Reason.STORM, NOW - 10_000 + 300_000)
    assert judge(case(book=Book(storm=dict(list(storm.items())[:10])))).outcome is GO
    old = {name: at - 300_000 for name, at in storm.items()}
    assert judge(case(book=Book(storm=old))).outcome is GO
    strict = Policy(storm=StormBrake(1, 60.0))
    assert judge(case(book=Book(storm={"a": NOW, "b": NOW}), policy=strict)).reason is Reason.STORM


UNLESS = replace(
    RULE, when=replace(RULE.when, unless=Signal(parse_matchers('alertname="PostgresDown"'), ("cluster",)))
)
ALSO = replace(
    RULE, when=replace(RULE.when, also=Signal(parse_matchers('alertname="ProbeFailing"'), ("instance",), 600.0))
)
HERE = alert(cluster="eu", instance="web2")


DOWN = other(alertname="PostgresDown", cluster="eu")


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ([], (GO, Reason.ALLOWED)),
        ([other(alertname="PostgresDown", cluster="eu")], (HOLD, Reason.COMMON_CAUSE)),
        ([other(alertname="PostgresDown", cluster="us")], (GO, Reason.ALLOWED)),
        ([other(alertname="PostgresDown")], (GO, Reason.ALLOWED)),
        (
            [replace(DOWN, alert=replace(DOWN.alert, status="resolved"))],
            (GO, Reason.ALLOWED),
        ),
        ([other(alertname="PostgresDown", cluster="eu", fingerprint="f")], (GO, Reason.ALLOWED)),
    ],
)
def test_another_cause_holds(beside: list[object], expected: tuple[Outcome, Reason]) -> None:
    assert said(case(rule=UNLESS, alert=alert_facts(HERE, *beside))) == expected  # type: ignore[arg-type]


def test_whether_another_cause_fires_must_be_known() -> None:
    cut = replace(alert_facts(HERE), complete=False)
    found = judge(case(rule=UNLESS, alert=cut))
    assert Reason.TRUNCATED in {one.reason for one in found.answers if one.guard == "common-cause"}


@pytest.mark.parametrize(
    ("name", "began_ms", "beside", "expected"),
    [
        ("it fires too", NOW - 5 * MINUTE, other(alertname="ProbeFailing", instance="web2"), (GO, Reason.ALLOWED)),
        ("not yet", NOW - 5 * MINUTE, None, (HOLD, Reason.NOT_CORROBORATED)),
        ("too late", NOW - 10 * MINUTE, None, (HOLD, Reason.NOT_CORROBORATED)),
        (
            "elsewhere",
            NOW - 10 * MINUTE,
            other(alertname="ProbeFailing", instance="web1"),
            (HOLD, Reason.NOT_CORROBORATED),
        ),
        (
            "it began too far apart",
            NOW - 11 * MINUTE,
            other(alertname="ProbeFailing", instance="web2", since_ms=NOW),
            (HOLD, Reason.NOT_CORROBORATED),
        ),
    ],
)
def test_a_second_signal_is_waited_for(
    name: str, began_ms: int, beside: object, expected: tuple[Outcome, Reason]
) -> None:
    """Silently while it may still come, and then a person is told."""
    told = replace(alert_facts(HERE, *([beside] if beside else [])), began_ms=began_ms)  # type: ignore[arg-type, list-item]
    found = judge(case(rule=ALSO, alert=told))
    assert (found.outcome, found.reason) == expected, name
    assert found.wait == (name == "not yet")
    assert found.until_ms == (began_ms + 10 * MINUTE if found.wait else None)


LAG = Requirement("replica lag", 'max(lag{instance="{{ $labels.instance }}"})', Condition("<", 30))
SENT = 'max(lag{instance="web2"})'
REQUIRED = replace(RULE, require=(LAG,))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([29.9], Reason.ALLOWED),
        ([30.0], Reason.REQUIREMENT_NOT_MET),
        ([1.0, 31.0], Reason.REQUIREMENT_NOT_MET),
        ([float("inf")], Reason.REQUIREMENT_NOT_MET),
        ([float("nan")], Reason.REQUIREMENT_UNKNOWN),
        ([1.0, float("nan")], Reason.REQUIREMENT_UNKNOWN),
        ([], Reason.REQUIREMENT_UNKNOWN),
        (None, Reason.REQUIREMENT_UNKNOWN),
    ],
)
def test_requirements_are_met_by_every_sample(values: list[float] | None, reason: Reason) -> None:
    """No answer meets nothing."""
    answers = {SENT: None if values is None else fact(tuple(Sample(value) for value in values))}
    assert judge(case(rule=REQUIRED, alert=alert_facts(HERE), answers=answers)).reason is reason


def test_a_query_lacks_its_label() -> None:
    """It is not asked, and holds; one that can be asked is named as it is sent."""
    assert judge(case(rule=REQUIRED)).reason is Reason.REQUIREMENT_UNKNOWN
    compare = replace(REQUIRED.guards, caused_by_release=CausedByRelease(compare=Compare("version", "errors")))
    assert queries(replace(REQUIRED, guards=compare), HERE) == (SENT, "errors")
    assert queries(REQUIRED, alert()) == ()
    assert queries(replace(REQUIRED, guards=compare), None) == ()


def test_for_is_a_time_to_veto() -> None:
    """It waits silently, and goes on by itself."""
    rule = replace(RULE, when=replace(RULE.when, for_s=600.0))
    found = judge(case(rule=rule))
    assert (found.outcome, found.reason, found.wait) == (HOLD, Reason.NOT_FOR_LONG_ENOUGH, True)
    assert found.until_ms == NOW + 5 * MINUTE
    assert judge(case(rule=rule, alert=replace(alert_facts(), began_ms=NOW - 10 * MINUTE))).outcome is GO


def test_blind_monitoring_holds() -> None:
    """An instance that is known not to be scraped; where nobody knows, nothing is said."""
    assert said(case(instance=instance_facts(scraped=fact(value=False)))) == (HOLD, Reason.MONITORING_BLIND)
    assert said(case(instance=instance_facts(scraped=fact(value=True)))) == (GO, Reason.ALLOWED)
