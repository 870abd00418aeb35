"""What must hold whatever the facts: the properties that make an automatic rollback worth having."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from testbed.any_case import ACTS, NAMES, maybe, quiet, share, some_case
from testbed.judged import DAY, HOUR, MINUTE, NOW, alert, alert_facts, fact, guarded

from rules.campaigns import campaign_of, members_of, sizes
from rules.decisions import Outcome, Reason
from rules.facts import (
    Arrival,
    Book,
    Campaign,
    CampaignStart,
    Case,
    Demotion,
    Fact,
    Hand,
    InstanceFacts,
    Lock,
    Member,
    MemberState,
    Pause,
    Peer,
    ServiceFacts,
)
from rules.guards.answers import Verdict
from rules.judging import judge, judge_all
from rules.limits import (
    Affected,
    Limits,
    Policy,
    Waves,
)
from rules.marks import Mark, Marked


@given(some_case)
def test_there_is_exactly_one_reason_and_the_same_facts_give_the_same_decision(one: Case) -> None:
    """Of the closed list, with a sentence; and every guard that speaks says which facts it used."""
    found = judge(one)
    assert isinstance(found.reason, Reason)
    assert found.detail
    assert judge(one) == found
    assert (found.outcome is Outcome.ROLL_BACK) == (found.reason is Reason.ALLOWED)
    assert all(answer.detail for answer in found.answers)
    assert len({answer.guard for answer in found.answers}) == len(found.answers)


@given(some_case)
def test_never_to_a_known_bad_release_nor_to_one_just_left(one: Case) -> None:
    """Nor to one that failed its smoke test, nor to the one that runs."""
    found = judge(one)
    if found.outcome not in ACTS or found.to is None:
        return
    facts = one.service.catalogue
    assert facts.mark_of([found.to]).mark is not Mark.KNOWN_BAD
    assert found.to not in one.instance.left
    assert one.instance.observation is None or found.to != one.instance.observation.running
    manifest = facts.manifest_of([found.to])
    assert manifest is None or manifest.passed_smoke_test is not False


@given(some_case)
def test_never_past_an_irreversible_mark(one: Case) -> None:
    """No release that was passed since, the running one included, may be one after which nothing older runs."""
    found, seen = judge(one), one.instance.observation
    if found.outcome not in ACTS or found.to is None or seen is None or seen.running is None:
        return
    passed = NAMES[NAMES.index(found.to) + 1 : NAMES.index(seen.running) + 1]
    doors = {manifest.version for manifest in one.service.catalogue.manifests if manifest.irreversible}
    there = {release.name for release in seen.releases}
    assert not doors & set(passed) & there


@given(some_case)
def test_a_rule_acts_only_on_what_a_deployer_brought(one: Case) -> None:
    found, arrived = judge(one), one.instance.arrival
    if found.outcome is Outcome.ROLL_BACK:
        assert one.instance.made_by is None
        assert arrived is None or arrived.value.hand is Hand.DEPLOY


@given(some_case)
def test_no_release_goes_back_for_what_began_before_it_came(one: Case) -> None:
    found, arrived, limit = judge(one), one.instance.arrival, one.rule.guards.caused_by_release
    if found.outcome in ACTS and limit is not None:
        assert one.alert is not None
        assert arrived is not None
        assert arrived.value.by_ms <= one.alert.onset.value + limit.skew_s * 1000


CAUTION = {
    "a pause": lambda one: replace(one, book=replace(one.book, pauses=(*one.book.pauses, Pause("", "kim")))),
    "a lock": lambda one: replace(one, service=replace(one.service, lock=Fact(Lock("ci"), "ledger"))),
    "a freeze": lambda one: replace(one, policy=replace(one.policy, freeze=("always",))),
    "a demotion": lambda one: replace(one, book=replace(one.book, demoted={"canary": Demotion("why", NOW)})),
    "a lower ceiling": lambda one: replace(one, policy=replace(one.policy, ceiling="observe")),
    "a campaign more": lambda one: replace(
        one, book=replace(one.book, starts=(*one.book.starts, CampaignStart("z", "canary", "shop", NOW)))
    ),
    "a service more in trouble": lambda one: replace(
        one, book=replace(one.book, storm={**one.book.storm, "zz": NOW})
    ),
    "monitoring that is blind": lambda one: replace(
        one, instance=replace(one.instance, scraped=fact(value=False))
    ),
    "a member that did not recover": lambda one: replace(
        one,
        campaign=replace(one.campaign, members=(*one.campaign.members, Member("web9", MemberState.NOT_RECOVERED))),
    ),
    "answers that are lost": lambda one: replace(one, answers={}),
    "alerts that were cut off": lambda one: replace(one, alert=replace(one.alert, complete=False)),
    "a known-bad mark": lambda one: replace(
        one,
        service=replace(
            one.service,
            catalogue=replace(one.service.catalogue, marks=dict.fromkeys(NAMES, Marked(Mark.KNOWN_BAD, "kim"))),
        ),
    ),
}


@given(some_case, st.sampled_from(sorted(CAUTION)))
@settings(max_examples=300)
def test_caution_never_makes_a_rule_act(one: Case, why: str) -> None:
    """A reason more to hold back turns no hold into an act, and no question into one."""
    before, after = judge(one), judge(CAUTION[why](one))
    if after.outcome is Outcome.ROLL_BACK:
        assert before.outcome is Outcome.ROLL_BACK
    if before.outcome is Outcome.REFUSE:
        assert after.outcome in (Outcome.REFUSE, Outcome.HOLD)


@given(st.lists(some_case, max_size=4))
def test_together_is_never_bolder_than_alone(some: list[Case]) -> None:
    """What is judged of several instances at once only adds reasons to hold back."""
    for one, found in zip(some, judge_all(some), strict=True):
        if found.outcome is Outcome.ROLL_BACK:
            assert judge(one).outcome is Outcome.ROLL_BACK


minutes = st.integers(0, 6 * HOUR // MINUTE)
events = st.lists(
    st.tuples(minutes, st.sampled_from("abcdefghij"), st.sampled_from(["canary", "other"])), max_size=60
)


@given(
    events, st.integers(1, 4), st.integers(4, 6), maybe(st.builds(Limits, st.integers(1, 4), st.integers(4, 8)))
)
def test_never_more_campaigns_in_any_window_than_the_limits_allow(
    some: list[tuple[int, str, str]], per_hour: int, per_day: int, policy: Limits | None
) -> None:
    """Simulated: in whatever order they ask, each start that a guard allowed is counted from then on."""
    started: list[CampaignStart] = []
    for minute, service, owner in sorted(some):
        now = NOW + minute * MINUTE
        rule = replace(guarded(limits=Limits(per_hour, per_day)), name=owner)
        id_ = campaign_of(owner, service, "", "v3")
        one = Case(
            rule,
            now,
            InstanceFacts("web1", service, running=fact(("v3",)), arrival=fact(Arrival(now - MINUTE))),
            ServiceFacts(service),
            alert=alert_facts(alert(starts_ms=now)),
            book=Book(starts=tuple(started)),
            campaign=Campaign(id_),
            policy=Policy(limits=policy),
        )
        if judge(one).outcome is Outcome.ROLL_BACK and id_ not in {start.id for start in started}:
            started.append(CampaignStart(id_, owner, service, now))
    for window_ms, of_rule, of_all in (
        (HOUR, per_hour, policy.per_hour if policy else 99),
        (DAY, per_day, policy.per_day if policy else 99),
    ):
        for first in started:
            within = [one for one in started if first.at_ms <= one.at_ms < first.at_ms + window_ms]
            assert len(within) <= of_all
            assert sum(1 for one in within if one.rule == first.rule) <= of_rule


@given(
    st.integers(1, 14),
    share,
    st.lists(st.integers(1, 9) | share, min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_a_campaign_never_touches_more_than_it_may(
    total: int, most: float, steps: list[int | float], random: object
) -> None:
    """Simulated: what has begun is within `affected` and within its wave, whoever asks next."""
    limit = Affected(7, most, 0.0)
    rule = replace(guarded(affected=limit), waves=Waves(tuple(steps)))
    peers = tuple(Peer(f"web{at}", ("v3",), healthy=True) for at in range(total))
    joined: dict[str, MemberState] = {}
    for _ in range(5 * total):
        id_ = f"web{random.randrange(total)}"  # type: ignore[attr-defined]
        if joined.get(id_) is MemberState.STARTED:
            joined[id_] = MemberState.RECOVERED
            continue
        if joined.get(id_) is MemberState.RECOVERED:
            continue
        joined.setdefault(id_, MemberState.WAITING)
        campaign = Campaign("c", tuple(Member(one, state) for one, state in joined.items()))
        one = Case(
            rule,
            NOW,
            InstanceFacts(id_, "shop", running=fact(("v3",)), arrival=fact(Arrival(NOW - 20 * MINUTE))),
            ServiceFacts("shop", peers=fact(peers)),
            alert=alert_facts(),
            campaign=campaign,
        )
        if judge(one).outcome is Outcome.ROLL_BACK:
            joined[id_] = MemberState.STARTED
            begun = [state for state in joined.values() if state is not MemberState.WAITING]
            assert len(begun) <= max(1, min(7, int(most * total + 1e-9)))
            assert len(begun) <= max(sizes(rule.waves, len(members_of(campaign))))


@given(quiet())
def test_most_guards_have_no_objection_to_a_quiet_case(one: Case) -> None:
    """Else the properties above would hold of nothing."""
    assume(one.instance.observation is not None)
    assert all(
        answer.verdict is Verdict.ALLOW
        for answer in judge(one).answers
        if answer.guard not in ("caused-by-release", "stale-alert", "own-hand")
    )
