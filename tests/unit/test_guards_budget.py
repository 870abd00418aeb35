"""How often: an instance is left alone after it went back, and only so many campaigns start in any hour or day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testbed.judged import DAY, HOUR, MINUTE, NOW, WEB2, case, fact, guarded, instance_facts

from rules.campaigns import campaign_of
from rules.decisions import Outcome, Reason
from rules.facts import Book, Campaign, CampaignStart, Case, LastChange, Member, MemberState
from rules.judging import judge
from rules.limits import Limits, Policy

OWN = campaign_of("canary", "shop", "", "v3")


def changed(ago_ms: int, campaign: str = "") -> Case:
    last = fact(LastChange(NOW - ago_ms, "r1", campaign))
    return case(instance=instance_facts(last_change=last), campaign=Campaign("c"))


@pytest.mark.parametrize(
    ("name", "judged", "until"),
    [
        ("ten minutes ago", changed(10 * MINUTE), NOW + 20 * MINUTE),
        ("a millisecond too early", changed(30 * MINUTE - 1), NOW + 1),
        ("as long ago as asked", changed(30 * MINUTE), None),
        ("for this very campaign", changed(MINUTE, "c"), None),
        ("for another campaign", changed(MINUTE, "d"), NOW + 29 * MINUTE),
        (
            "the release came anew within the campaign",
            replace(
                changed(MINUTE, "c"), campaign=Campaign("c", (Member(WEB2, MemberState.RECOVERED, rollback="r1"),))
            ),
            NOW + 29 * MINUTE,
        ),
        ("a rule without", replace(changed(MINUTE), rule=guarded(cooldown_s=0.0)), None),
        ("a change in the future", changed(-MINUTE), NOW + 31 * MINUTE),
    ],
)
def test_cooldown(name: str, judged: Case, until: int | None) -> None:
    found = judge(judged)
    assert found.outcome is (Outcome.HOLD if until else Outcome.ROLL_BACK), name
    assert found.until_ms == until
    assert found.reason is (Reason.COOLDOWN if until else Reason.ALLOWED)


def starts(*ago_ms: int, rule: str = "canary") -> tuple[CampaignStart, ...]:
    return tuple(CampaignStart(f"{rule}-{ago}", rule, "blog", NOW - ago) for ago in ago_ms)


THREE = starts(10 * MINUTE, 20 * MINUTE, 50 * MINUTE)


@pytest.mark.parametrize(
    ("name", "begun", "policy", "until"),
    [
        ("two in an hour", THREE[:2], None, None),
        ("three in an hour", THREE, None, NOW + 10 * MINUTE),
        ("of another rule", starts(1, 2, 3, 4, rule="other"), None, None),
        ("of any rule, by the policy", starts(1, 2, rule="other"), Limits(2, 9), NOW + HOUR - 2),
        ("just fallen out", (*THREE[:2], *starts(HOUR)), None, None),
        ("seven in a day", starts(*(at * 2 * HOUR for at in range(1, 8))), None, NOW + DAY - 14 * HOUR),
        (
            "both: the later counts",
            (*THREE, *starts(*(at * 2 * HOUR for at in range(1, 5)))),
            None,
            NOW + DAY - 8 * HOUR,
        ),
        ("more than may: until enough fall out", (*THREE, *starts(5 * MINUTE)), None, NOW + 40 * MINUTE),
        ("its own campaign has started", (*THREE, CampaignStart(OWN, "canary", "shop", NOW - 1)), None, None),
        ("told twice", (*THREE[:2], *THREE[:2]), None, None),
        ("none may", (), Limits(0, 0), 0),
    ],
)
def test_limits_count_campaigns(
    name: str, begun: tuple[CampaignStart, ...], policy: Limits | None, until: int | None
) -> None:
    """In any hour and any day; a campaign that has started consumes nothing more."""
    found = judge(case(book=Book(starts=begun), policy=Policy(limits=policy)))
    assert found.outcome is (Outcome.ROLL_BACK if until is None else Outcome.HOLD), name
    assert found.reason is (Reason.ALLOWED if until is None else Reason.LIMIT_REACHED)
    assert found.until_ms == (until or None)


def test_a_release_that_comes_again_and_again_is_limited() -> None:
    """It has the same campaign, and yet goes back anew: that is counted."""
    begun = (*THREE, CampaignStart(OWN, "canary", "shop", NOW - 40 * MINUTE))
    again = Campaign(OWN, (Member(WEB2, MemberState.RECOVERED), Member(WEB2, MemberState.WAITING)))
    found = judge(case(book=Book(starts=begun), campaign=again))
    assert found.reason is Reason.LIMIT_REACHED
