"""A campaign goes in waves: the next opens once everything before it recovered, none after one that did not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.campaigns import campaign_of, members_of, sizes, went_back
from rules.decisions import Reason
from rules.facts import Campaign, Member, MemberState
from rules.guards.answers import Verdict
from rules.guards.waves import slot
from rules.limits import Waves

W, S, R, N, L = (
    MemberState.WAITING,
    MemberState.STARTED,
    MemberState.RECOVERED,
    MemberState.NOT_RECOVERED,
    MemberState.LEFT,
)
USUAL = Waves()


def campaign(*states: MemberState, clusters: str = "") -> Campaign:
    """Members i0, i1, …, in the order in which they joined."""
    where = clusters.ljust(len(states))
    return Campaign("c", tuple(Member(f"i{at}", one, where[at].strip()) for at, one in enumerate(states)))


def verdicts(waves: Waves, one: Campaign) -> list[Verdict]:
    return [slot(waves, one, member.instance, member.cluster).verdict for member in one.members]


def test_twelve_go_one_six_twelve() -> None:
    """As many as may begin do; the next wave waits for the last of the one before."""
    states = {f"i{at}": W for at in range(12)}
    waves = []
    while W in states.values():
        for name, state in list(states.items()):
            now = Campaign("c", tuple(Member(one, state) for one, state in states.items()))
            if state is W and slot(USUAL, now, name).verdict is Verdict.ALLOW:
                states[name] = S
        waves.append(sum(1 for state in states.values() if state is not W))
        states = {name: R if state is S else state for name, state in states.items()}
    assert waves == [1, 6, 12]


def test_sizes() -> None:
    """Shares are rounded down, to one at least and never below the wave before; all go in the end."""
    assert sizes(USUAL, 12) == (1, 6, 12)
    assert sizes(USUAL, 1) == (1,)
    assert sizes(USUAL, 2) == (1, 2)
    assert sizes(USUAL, 3) == (1, 3)
    assert sizes(Waves((5, 0.1)), 12) == (5, 12)
    assert sizes(Waves((0.01,)), 12) == (1, 12)
    assert sizes(Waves((1 / 3,)), 3) == (1, 3)
    assert sizes(Waves((20,)), 3) == (3,)


def test_a_wave_waits_for_the_last_of_the_one_before() -> None:
    assert verdicts(USUAL, campaign(S, W, W, W)) == [Verdict.ALLOW, *[Verdict.WAIT] * 3]
    assert slot(USUAL, campaign(S, W), "i1").reason is Reason.WAVE
    assert verdicts(USUAL, campaign(R, W, W, W))[1:] == [Verdict.ALLOW] * 3
    assert verdicts(USUAL, campaign(R, S, W, W))[2:] == [Verdict.WAIT] * 2


def test_it_stops_when_the_first_does_not_help() -> None:
    """Nobody goes on but a person, whatever is under way."""
    stopped = campaign(N, W, W)
    assert verdicts(USUAL, stopped) == [Verdict.HOLD] * 3
    assert slot(USUAL, stopped, "i1").reason is Reason.CAMPAIGN_STOPPED
    assert "i0" in slot(USUAL, stopped, "i1").detail


def test_who_left_is_no_member() -> None:
    """It neither fills a wave nor makes it larger."""
    assert verdicts(USUAL, campaign(L, W, W))[1:] == [Verdict.ALLOW] * 2
    assert members_of(campaign(L, L)) == ()
    assert [slot(USUAL, campaign(*[L] * 8, R, S, W, W), "i10").verdict] == [Verdict.WAIT]


def test_who_joins_late_finds_its_place() -> None:
    """It counts as the last; a campaign that nobody has joined lets its first go."""
    assert slot(USUAL, Campaign(), "new").verdict is Verdict.ALLOW
    assert slot(USUAL, campaign(S), "new").verdict is Verdict.WAIT
    assert slot(USUAL, campaign(R, R, R), "new").verdict is Verdict.ALLOW


def test_an_instance_counts_once() -> None:
    """Its later rollback stands for it: the release came there anew."""
    again = Campaign("c", (Member("i0", R, rollback="a"), Member("i1", R), Member("i0", W, rollback="b")))
    assert [member.state for member in members_of(again)] == [W, R]
    assert went_back(again, "i0")
    assert not went_back(campaign(S), "i0")


def test_by_cluster_everything_in_one_first() -> None:
    """Clusters in the order in which they joined; a late member of the first holds up the second."""
    waves = Waves((1, 1.0), by="cluster")
    assert verdicts(waves, campaign(W, W, W, W, clusters="aabb")) == [Verdict.ALLOW] * 2 + [Verdict.WAIT] * 2
    assert verdicts(waves, campaign(R, S, W, W, clusters="aabb"))[2:] == [Verdict.WAIT] * 2
    assert verdicts(waves, campaign(R, R, W, W, clusters="aabc"))[2:] == [Verdict.ALLOW] * 2
    assert verdicts(waves, campaign(R, W, W, clusters="aba"))[1:] == [Verdict.WAIT, Verdict.ALLOW]
    assert slot(waves, campaign(W, clusters="a"), "new", "b").verdict is Verdict.WAIT


def test_a_campaign_is_known_by_what_it_is_about() -> None:
    """The same four words give the same id, whatever they hold; any other gives another."""
    assert campaign_of("r", "shop", "", "v3") == campaign_of("r", "shop", "", "v3")
    assert (
        len({campaign_of("r", "a", "b", ""), campaign_of("r", "ab", "", ""), campaign_of("r", "a", "", "b")}) == 3
    )


SOME = st.lists(st.integers(1, 20) | st.floats(0.01, 1.0), min_size=1, max_size=4).map(
    lambda one: Waves(tuple(one))
)


@given(SOME, st.integers(1, 25), st.randoms(use_true_random=False), st.booleans())
def test_waves_never_exceed_their_sizes(waves: Waves, total: int, random: object, fails: bool) -> None:
    """In whatever order they ask and recover: what has begun fits a wave, and all before it is recovered."""
    states = dict.fromkeys((f"i{at}" for at in range(total)), W)
    for _ in range(6 * total):
        name = random.choice(list(states))  # type: ignore[attr-defined]
        now = Campaign("c", tuple(Member(one, state) for one, state in states.items()))
        if states[name] is S:
            states[name] = N if fails and random.random() < 0.1 else R  # type: ignore[attr-defined]
        elif states[name] is W and slot(waves, now, name).verdict is Verdict.ALLOW:
            assert N not in states.values()
            begun = [state for state in states.values() if state is not W]
            before = max((size for size in sizes(waves, total) if size <= len(begun)), default=0)
            assert begun.count(R) >= before
            states[name] = S
