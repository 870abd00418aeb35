"""How much of a service: shares are rounded down, one is always allowed, what exceeds holds the whole campaign."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testbed.judged import RULE, WEB1, WEB2, alert_facts, case, guarded, instance_facts, other, service

from rules.decisions import Outcome, Reason
from rules.facts import Campaign, Case, Fact, Member, MemberState, Peer
from rules.judging import judge, judge_all
from rules.limits import Affected

W, S, R, L = MemberState.WAITING, MemberState.STARTED, MemberState.RECOVERED, MemberState.LEFT


def of(total: int, *members: MemberState, healthy: int | None = None, **limits: float) -> Case:
    """One of `total` instances, with so many others in its campaign, and so many others healthy."""
    ids = [f"web{at}" for at in range(total - 1)]
    peers = [
        Peer(one, ("v3",), healthy=None if healthy is None else at < healthy)
        for at, one in enumerate(reversed(ids))
    ]
    written: dict[str, object] = {"max": 10, "max_share": 0.34, "min_healthy": 0.0, **limits}
    return case(
        rule=guarded(affected=Affected(**written)),  # type: ignore[arg-type]
        service=service(Peer(WEB2, ("v3",), healthy=False), *peers),
        campaign=Campaign("c", tuple(Member(ids[at], state) for at, state in enumerate(members))),
    )


@pytest.mark.parametrize(
    ("name", "judged", "outcome"),
    [
        ("two hosts with one canary under max-share 34% still goes back", of(2), Outcome.ROLL_BACK),
        ("the second of two", of(2, R), Outcome.HOLD),
        ("the second of six: 34% are two", of(6, R), Outcome.ROLL_BACK),
        ("the third of six", of(6, R, R), Outcome.HOLD),
        ("those that wait count", of(6, W, W), Outcome.HOLD),
        ("those that left do not", of(6, L, L, R), Outcome.ROLL_BACK),
        ("a share that floats cannot say", of(100, *[R] * 28, max=50, max_share=0.29), Outcome.ROLL_BACK),
        ("and one more", of(100, *[R] * 29, max=50, max_share=0.29), Outcome.HOLD),
        ("max counts too", of(100, *[R] * 10, max_share=1.0), Outcome.HOLD),
        ("all may go", of(12, *[R] * 11, max=12, max_share=1.0), Outcome.ROLL_BACK),
    ],
)
def test_affected(name: str, judged: Case, outcome: Outcome) -> None:
    found = judge(judged)
    assert found.outcome is outcome, name
    assert found.reason is (Reason.TOO_MANY_AFFECTED if outcome is Outcome.HOLD else Reason.ALLOWED)


def test_how_many_there_are_must_be_known() -> None:
    """Of a service whose instances nobody counted, one may be touched."""
    unknown = service()
    unknown = type(unknown)("shop", catalogue=unknown.catalogue)
    assert judge(case(service=unknown)).outcome is Outcome.ROLL_BACK
    second = Campaign("c", (Member(WEB1, R),))
    assert judge(case(service=unknown, campaign=second)).reason is Reason.TOO_MANY_AFFECTED


@pytest.mark.parametrize(
    ("name", "judged", "outcome"),
    [
        ("the first of a service that is down", of(4, healthy=0, min_healthy=0.5, max_share=1.0), Outcome.HOLD),
        ("the first, and nobody knows how they are", of(4, min_healthy=0.5, max_share=1.0), Outcome.HOLD),
        ("those that wait count", of(4, W, healthy=2, min_healthy=0.5, max_share=1.0), Outcome.ROLL_BACK),
        ("the only one: half of one, rounded down, is none", of(1, min_healthy=0.5), Outcome.ROLL_BACK),
        ("half of four is two", of(4, R, healthy=2, min_healthy=0.5, max_share=1.0), Outcome.ROLL_BACK),
        ("one of four", of(4, R, healthy=1, min_healthy=0.5, max_share=1.0), Outcome.HOLD),
        ("half of five, rounded down", of(5, R, healthy=2, min_healthy=0.5, max_share=1.0), Outcome.ROLL_BACK),
        ("nobody knows how they are", of(4, R, min_healthy=0.5, max_share=1.0), Outcome.HOLD),
    ],
)
def test_min_healthy_counts_the_others(name: str, judged: Case, outcome: Outcome) -> None:
    """Live; what is not known to be healthy does not count as healthy, and the answer says so."""
    found = judge(judged)
    assert found.outcome is outcome, name
    assert found.reason is (Reason.TOO_FEW_HEALTHY if outcome is Outcome.HOLD else Reason.ALLOWED)


def test_a_first_that_is_down_itself_takes_nothing_from_its_service() -> None:
    down = Fact(value=False, source="health check", at_ms=0)
    first, second = (of(4, *members, healthy=0, min_healthy=0.5, max_share=1.0) for members in ((), (R,)))
    assert judge(replace(first, instance=replace(first.instance, healthy=down))).outcome is Outcome.ROLL_BACK
    held = judge(replace(second, instance=replace(second.instance, healthy=down)))
    assert held.reason is Reason.TOO_FEW_HEALTHY


def test_the_first_of_a_service_that_nobody_has_looked_at_yet_goes() -> None:
    unseen = service(*(Peer(one, None, healthy=None) for one in (WEB1, "web3", "web4")))
    limits = guarded(affected=Affected(10, 0.34, 0.5))
    assert judge(case(rule=limits, service=unseen)).outcome is Outcome.ROLL_BACK
    second = Campaign("c", (Member("web5", R),))
    assert judge(case(rule=guarded(affected=Affected(10, 1.0, 0.5)), service=unseen, campaign=second)).reason is (
        Reason.TOO_FEW_HEALTHY
    )


def test_unknown_health_is_told() -> None:
    found = judge(of(4, R, min_healthy=0.5, max_share=1.0))
    assert "3 are not known to be healthy" in found.detail


def together(count: int, total: int) -> list[Case]:
    peers = [Peer(f"web{at}", ("v3",) if at < count else ("v2",), healthy=True) for at in range(total)]
    return [case(instance=instance_facts(f"web{at}"), service=service(*peers)) for at in range(count)]


def test_what_one_campaign_would_touch_is_counted_before_anything_is_touched() -> None:
    """Three of twelve may go; with five at once none does, though each alone could."""
    assert {one.outcome for one in judge_all(together(3, 12))} == {Outcome.ROLL_BACK}
    assert {judge(one).outcome for one in together(5, 12)} == {Outcome.ROLL_BACK}
    assert {one.reason for one in judge_all(together(5, 12))} == {Reason.TOO_MANY_AFFECTED}


def test_other_campaigns_are_not_counted() -> None:
    """Another release, or another service, goes back by itself."""
    first, second = together(2, 2)
    assert [one.reason for one in judge_all([first, second])] == [Reason.TOO_MANY_AFFECTED] * 2
    elsewhere = case(
        instance=instance_facts("web1", running="v2"), service=service(*(first.service.peers or ()).value)
    )  # type: ignore[union-attr]
    assert judge_all([first, elsewhere])[0].outcome is Outcome.ROLL_BACK


ALERTING = tuple(other(f"web{n}", fingerprint=f"f{n}") for n in range(3, 7))


@pytest.mark.parametrize(
    ("name", "track", "runs", "outcome"),
    [
        ("what alerts, is selected and runs it counts before it has joined", "canary", "v3", Outcome.HOLD),
        ("what the rule does not select is left alone anyway", "stable", "v3", Outcome.ROLL_BACK),
    ],
)
def test_what_alerts_alike_will_join(name: str, track: str, runs: str, outcome: Outcome) -> None:
    """A campaign that would be too large holds before its first instance, and not after it."""
    labelled = {"track": track}
    peers = [Peer(f"web{n}", (runs,), healthy=True, labels=labelled) for n in range(3, 7)]
    ours = Peer(WEB2, ("v3",), healthy=True, labels={"track": "canary"})
    rule = replace(RULE, target=replace(RULE.target, only={"track": ("canary",)}))
    found = judge(case(rule=rule, alert=alert_facts(None, *ALERTING), service=service(ours, *peers)))
    assert found.outcome is outcome, name
