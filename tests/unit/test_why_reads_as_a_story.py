"""`rollbackctl why`: the answer in a sentence, then every rule, instance, guard and release, and what followed."""

from __future__ import annotations

from typing import Any

import pytest

from controller.cli.judgements import fact_words, judgement_lines, judgements_lines
from controller.cli.reasons import headline, story
from controller.cli.times import parse
from rules.decisions import Outcome, Reason
from rules.guards.answers import Answer, UsedFact, Verdict
from rules.judgement import Judgement, shown
from rules.releases import Candidate, Choice

NOW = parse("2026-11-21T04:00:00.000Z")
WEB2, WEB3 = "hosts/default/shop/web2", "hosts/default/shop/web3"

HELD = shown(
    Judgement(
        WEB2,
        Outcome.HOLD,
        Reason.COOLDOWN,
        "it was rolled back 4 min ago; wait 26 min",
        answers=(
            Answer(
                "caused-by-release",
                Verdict.ALLOW,
                detail="v1.3.0 came 4 min before the trouble began",
                facts=(UsedFact("running", "v1.3.0", "observer", 3.0), UsedFact("onset", "03:50:00", "startsAt")),
            ),
            Answer("cooldown", Verdict.HOLD, Reason.COOLDOWN, "it was rolled back 4 min ago"),
            Answer("waves", Verdict.WAIT, Reason.WAVE, "the first wave is not verified"),
        ),
        choice=Choice(
            (
                Candidate("v1.2.1", kept=False, reason=Reason.KNOWN_BAD, detail="marked known-bad by ann"),
                Candidate("v1.2.0", kept=True, reason=Reason.ALLOWED, detail="known to be good"),
            )
        ),
        to="v1.2.0",
    )
)


def rule(name: str, **over: Any) -> dict[str, Any]:
    return {
        "rule": name,
        "rule_digest": "d",
        "in_force": True,
        "matched": True,
        "mismatch": "",
        "decision": None,
        "at": "2026-11-21T03:50:10.000Z",
        "followed": None,
        **over,
    }


def decision(outcome: str, reason: str, **over: Any) -> dict[str, Any]:
    return {"outcome": outcome, "reason": reason, "detail": f"because of {reason}", "instances": {}, **over}


def answer(*rules: dict[str, Any], rollbacks: tuple[dict[str, Any], ...] = (), **over: Any) -> dict[str, Any]:
    alert = {
        "fingerprint": "aa11",
        "labels": {"alertname": "HighErrorRate", "instance": "web2"},
        "episode": {
            "open": True,
            "starts_at": "2026-11-21T03:50:00.000Z",
            "heard_at": "2026-11-21T03:59:00.000Z",
            "closed_at": None,
        },
        "rules": list(rules),
        **over,
    }
    return {"about": {"kind": "alert", "id": "aa11"}, "alerts": [alert], "rollbacks": list(rollbacks)}


def told(found: dict[str, Any]) -> list[str]:
    return [" " * line.indent + line.text for line in story(found, NOW)]


def test_a_judgement_says_no_before_it_says_yes() -> None:
    """What speaks against it comes first, each fact with source and age, then the releases, kept or not."""
    assert [" " * line.indent + line.text for line in judgement_lines(HELD, 0)] == [
        "shop on web2: holds; it would go to v1.2.0 (cooldown)",
        "  it was rolled back 4 min ago; wait 26 min",
        "  what speaks against it:",
        "    cooldown holds (cooldown): it was rolled back 4 min ago",
        "    waves waits (wave): the first wave is not verified",
        "  what was asked and allows it:",
        "    caused-by-release: v1.3.0 came 4 min before the trouble began",
        "      running: v1.3.0 (observer, 3 s old)",
        "      onset: 03:50:00 (startsAt)",
        "  releases that were considered:",
        "    not v1.2.1 (known-bad): marked known-bad by ann",
        "    v1.2.0 (allowed): known to be good",
    ]


def test_instances_with_the_same_answer_are_told_once_in_full() -> None:
    """The others are one line and their sentence; `--json` has all."""
    lines = [line.text for line in judgements_lines([HELD, {**HELD, "instance": WEB3}], 0)]
    assert lines.count("what speaks against it:") == 1
    assert "shop on web3: holds; it would go to v1.2.0 (cooldown)" in lines


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (
            {"name": "running", "value": "v1", "source": "ledger", "age_s": 75.0},
            "running: v1 (ledger, 1 min 15 s old)",
        ),
        ({"name": "running", "value": "v1", "source": "", "age_s": None}, "running: v1"),
        ({"name": "running", "value": "unknown"}, "running: unknown"),
    ],
)
def test_a_fact_has_its_source_and_age(fact: dict[str, Any], said: str) -> None:
    """As far as they are known."""
    assert fact_words(fact) == said


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (
            (rule("a", decision=decision("observe", "observe-mode")),),
            "Nothing was changed. Rule a: observe (observe-mode",
        ),
        (
            (
                rule("a", decision=decision("observe", "observe-mode")),
                rule("b", decision=decision("hold", "cooldown")),
            ),
            "Nothing was changed. Rule b: hold (cooldown): because of cooldown.",
        ),
        ((rule("a"),), "Nothing was decided yet"),
        (
            (rule("a", matched=False, mismatch="x does not hold"),),
            "Nothing was changed: no rule is about this alert.",
        ),
    ],
)
def test_the_answer_comes_first(rules: tuple[dict[str, Any], ...], says: str) -> None:
    """In one sentence: what was done, or what kept it back."""
    assert headline(answer(*rules)).startswith(says)


def test_every_rule_is_told() -> None:
    """What it decided, by which matcher it is not about it, and whether it is still the rule that it was."""
    lines = told(
        answer(
            rule("canary", decision=decision("hold", "cooldown", judgements=[HELD])),
            rule("old", in_force=False, decision=decision("refuse", "predates-release")),
            rule("late"),
            rule("new", awaited_since="2026-11-21T03:56:00.000Z"),
            rule("other", matched=False, mismatch='severity="warning" does not hold: severity is "critical"'),
        )
    )
    for said in (
        "Alert HighErrorRate aa11",
        "  began 2026-11-21 03:50:00 UTC (10 min ago), fires still, last heard 1 min ago",
        '  {instance="web2"}',
        "  Rule canary: hold (cooldown)",
        "    decided 2026-11-21 03:50:10 UTC (9 min 50 s ago)",
        "    shop on web2: holds; it would go to v1.2.0 (cooldown)",
        "  Rule old: refuse (predates-release) (as it was then: it has changed since, or is gone)",
        "  Rule late: matches it, and has not decided: it came after the alert was heard",
        "  Rule new: matches it, and waits for a worker that knows it, for 4 min",
        '  Rule other: not about it: severity="warning" does not hold: severity is "critical"',
    ):
        assert said in lines


ARRIVED = {"instance": WEB2, "release": "v1.3.1", "at": "2026-11-21T03:55:00.000Z", "by": "deploy", "who": ""}


@pytest.mark.parametrize(
    ("followed", "says"),
    [
        (
            {"ended_at": "2026-11-21T04:00:00Z", "after_s": 590.0, "arrivals": []},
            "The trouble ended 9 min 50 s after that without it: no other release had come.",
        ),
        (
            {"ended_at": "2026-11-21T04:00:00Z", "after_s": 590.0, "arrivals": [ARRIVED]},
            "The trouble ended 9 min 50 s after that; by then v1.3.1 had come to shop on web2 (deployed).",
        ),
        (
            {"ended_at": None, "after_s": None, "arrivals": []},
            "The trouble goes on, 9 min 50 s after that.",
        ),
    ],
)
def test_where_a_rule_only_watched_it_is_said_how_it_went_on(followed: dict[str, Any], says: str) -> None:
    """Whether the trouble ended without it, and whether another release had come meanwhile."""
    found = rule("a", decision=decision("observe", "observe-mode"), followed=followed)
    assert f"    {says}" in told(answer(found))


RECORD: dict[str, Any] = {
    "id": "r1",
    "instance": WEB2,
    "service": "shop",
    "host": "web2",
    "rule": "canary",
    "by": "",
    "why": "",
    "state": "ended",
    "outcome": "recovered",
    "reason": "cleared",
    "detail": "the alert resolved",
    "from": "v1.3.0",
    "to": "v1.2.0",
    "opened_at": "2026-11-21T03:50:11.000Z",
    "committed_at": "2026-11-21T03:50:15.600Z",
    "approved_by": "ann",
    "overridden": ["cooldown"],
    "judged": [
        {"at": "2026-11-21T03:50:12.000Z", "kind": "judged", "judgement": HELD},
        {"at": "2026-11-21T03:50:15.500Z", "kind": "prepared", "judgement": {**HELD, "outcome": "roll-back"}},
    ],
}


def test_a_rollback_tells_what_was_judged_and_what_became_of_it() -> None:
    """Each judgement with its time, the last in full; who approved, what was set aside, and what to do next."""
    lines = told(answer(rule("canary"), rollbacks=(RECORD,)))
    assert lines[0] == "shop on web2: v1.3.0 → v1.2.0: recovered (cleared: the alert resolved)."
    for said in (
        "Rollback r1  shop on web2: v1.3.0 → v1.2.0: recovered",
        "  approved by ann",
        "  set aside by name: cooldown",
        "  +1.000 s  hold (cooldown): it was rolled back 4 min ago; wait 26 min",
        "  +4.500 s  judged right before the first change:",
        "    shop on web2: goes back to v1.2.0 (cooldown)",
        "  what became of it: recovered (cleared: the alert resolved)",
        "  next: Nothing. Find out what was wrong with the release before it is deployed again.",
    ):
        assert said in lines


def test_whoever_asks_about_a_rollback_reads_of_it_first() -> None:
    """Else the alert comes first, which is where it began."""
    found = answer(rule("canary"), rollbacks=(RECORD,))
    begins = [line.split()[0] for line in told(found) if line.startswith(("Alert", "Rollback"))]
    assert begins == ["Alert", "Rollback"]
    found["about"]["kind"] = "rollback"
    begins = [line.split()[0] for line in told(found) if line.startswith(("Alert", "Rollback"))]
    assert begins == ["Rollback", "Alert"]


def test_what_a_rule_has_said_is_not_said_again_for_its_instance() -> None:
    """A tired person reads a sentence once."""
    whole = decision("hold", "cooldown", judgements=[HELD], detail=f"shop on web2: {HELD['detail']}")
    assert sum(HELD["detail"] in line for line in told(answer(rule("canary", decision=whole)))[2:]) == 1


def test_what_is_forgotten_is_said_to_be() -> None:
    """An alert's labels go before the decision about it does."""
    lines = told(answer(rule("a", decision=decision("refuse", "stale")), labels={}, episode=None))
    assert "Alert aa11" in lines
    assert "  its labels are forgotten by now; what was decided is still known" in lines


def test_every_outcome_has_its_word() -> None:
    """Nobody reads a bare identifier."""
    for outcome in Outcome:
        (first, *_) = judgement_lines({**HELD, "outcome": outcome.value}, 0)
        assert f": {outcome.value} " not in first.text
