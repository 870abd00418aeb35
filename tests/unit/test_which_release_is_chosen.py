"""The release to go back to is chosen from facts; every other one is dropped with its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Reason
from rules.observations import Observation, ReleaseSeen
from rules.releases import Choice, choose
from rules.to import Previous, Version

NONE: frozenset[str] = frozenset()
V1, V2, V3, V4 = (ReleaseSeen(f"v{number}", (number,)) for number in (1, 2, 3, 4))


def seen(*releases: ReleaseSeen, running: str | None = "v3") -> Observation:
    return Observation(running, "arrival", 0, releases)


def reasons(choice: Choice) -> list[tuple[str, bool, Reason]]:
    return [(candidate.release, candidate.kept, candidate.reason) for candidate in choice.candidates]


def test_previous_is_the_newest_that_is_older() -> None:
    """Whatever the order they were listed in; older ones stay candidates behind it."""
    choice = choose([Previous()], seen(V2, V4, V1, V3), NONE)
    assert choice.chosen == "v2"
    assert reasons(choice) == [
        ("v4", False, Reason.RELEASE_NEWER),
        ("v3", False, Reason.RELEASE_CURRENT),
        ("v2", True, Reason.ALLOWED),
        ("v1", True, Reason.ALLOWED),
    ]


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"complete": False}, Reason.RELEASE_INCOMPLETE, "deploy it again"),
        ({"executable": False}, Reason.RELEASE_NOT_EXECUTABLE, "mend its rights"),
        ({"allowed": False}, Reason.RELEASE_NOT_ALLOWED, "`pattern` or `whitelist`"),
        ({"order": (3,)}, Reason.RELEASE_NEWER, "as old as v3"),
    ],
)
def test_a_release_that_will_not_do_is_passed_over(change: dict[str, object], reason: Reason, says: str) -> None:
    """The next older one has its place."""
    choice = choose([Previous()], seen(V1, replace(V2, **change), V3), NONE)  # type: ignore[arg-type]
    (dropped,) = [candidate for candidate in choice.candidates if candidate.release == "v2"]
    assert (choice.chosen, dropped.reason) == ("v1", reason)
    assert says in dropped.detail


def test_trap_13_two_rollbacks_in_a_row_do_not_oscillate() -> None:
    """What was just left is never chosen again, neither by order nor by name."""
    assert choose([Previous()], seen(V1, V2, V3), frozenset({"v2"})).chosen == "v1"
    choice = choose([Version("v3"), Previous()], seen(V2, V3, running="v2"), frozenset({"v3"}))
    assert choice.chosen is None
    assert choice.candidates[0].reason is Reason.JUST_ROLLED_BACK_FROM


def test_trap_13_when_all_history_is_bad_nothing_is_chosen() -> None:
    """Then a person is told, with a reason for each release."""
    choice = choose([Previous()], seen(V1, V2, V3), frozenset({"v1", "v2"}))
    assert choice.chosen is None
    assert {candidate.reason for candidate in choice.candidates} == {
        Reason.RELEASE_CURRENT,
        Reason.JUST_ROLLED_BACK_FROM,
    }


def test_the_first_entry_with_a_candidate_decides() -> None:
    """What comes after it is not looked at."""
    choice = choose([Version("v9"), Version("v1"), Previous()], seen(V1, V2, V3), NONE)
    assert choice.chosen == "v1"
    assert reasons(choice) == [("v9", False, Reason.RELEASE_MISSING), ("v1", True, Reason.ALLOWED)]
    assert "it has v1, v2, v3" in choice.candidates[0].detail


def test_a_named_version_may_be_newer() -> None:
    """Its name is the owner's word; `previous` only ever goes back."""
    assert choose([Version("v4")], seen(V3, V4), NONE).chosen == "v4"
    assert choose([Previous()], seen(V3, V4), NONE).chosen is None


def test_the_release_that_runs_is_no_way_back() -> None:
    """Also when it is named."""
    choice = choose([Version("v3")], seen(V3), NONE)
    assert reasons(choice) == [("v3", False, Reason.RELEASE_CURRENT)]


def test_a_person_may_return_to_what_was_left_by_naming_it() -> None:
    """And only by naming it: `previous` stays careful, and a broken release stays broken."""
    left = frozenset({"v2"})
    assert choose([Version("v2")], seen(V2, V3), left, override=True).chosen == "v2"
    assert choose([Previous()], seen(V2, V3), left, override=True).chosen is None
    assert choose([Version("v2")], seen(replace(V2, complete=False), V3), left, override=True).chosen is None


@pytest.mark.parametrize(
    ("running", "says"), [(None, "nothing runs here"), ("v9", "v9 runs but is not among the releases")]
)
def test_where_the_running_release_has_no_place_nothing_is_previous(running: str | None, says: str) -> None:
    """It would be a guess; a named version still works."""
    choice = choose([Previous()], seen(V1, V2, running=running), NONE)
    assert {candidate.reason for candidate in choice.candidates} == {Reason.NO_CANDIDATE}
    assert says in choice.candidates[0].detail
    assert choose([Previous(), Version("v1")], seen(V1, V2, running=running), NONE).chosen == "v1"


def test_without_releases_there_is_nothing() -> None:
    """No candidate, no choice, no exception."""
    assert choose([Previous()], seen(), NONE) == Choice(())


RELEASE_NAMES = ["v1", "v2", "v3", "v4", "v5"]
ORDERS = st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["", "a", "rc"])), max_size=3).map(tuple)
RELEASES = st.lists(
    st.builds(ReleaseSeen, st.sampled_from(RELEASE_NAMES), ORDERS, st.booleans(), st.booleans(), st.booleans()),
    unique_by=lambda release: release.name,
)
OBSERVATIONS = st.builds(seen, running=st.sampled_from([None, *RELEASE_NAMES])).flatmap(
    lambda one: RELEASES.map(lambda releases: replace(one, releases=tuple(releases)))
)
TO = st.lists(st.one_of(st.just(Previous()), st.builds(Version, st.sampled_from(RELEASE_NAMES))), max_size=3)
LEFT = st.frozensets(st.sampled_from(RELEASE_NAMES), max_size=3)


@given(TO, OBSERVATIONS, LEFT)
def test_never_the_current_one_nor_one_just_left_nor_a_broken_one(
    to: list[Previous | Version], observation: Observation, left: frozenset[str]
) -> None:
    """Whatever the facts; and what is dropped always says why."""
    choice = choose(to, observation, left)
    if choice.chosen is not None:
        (chosen,) = [release for release in observation.releases if release.name == choice.chosen]
        assert chosen.name != observation.running
        assert chosen.name not in left
        assert chosen.complete
        assert chosen.executable
        assert chosen.allowed
    for candidate in choice.candidates:
        assert candidate.kept is (candidate.reason is Reason.ALLOWED)
        assert candidate.detail


@given(OBSERVATIONS, LEFT)
def test_previous_never_goes_forward(observation: Observation, left: frozenset[str]) -> None:
    """Orders of the same kinds compare as tuples do."""
    orders = {release.name: release.order for release in observation.releases}
    chosen = choose([Previous()], observation, left).chosen
    if chosen is not None and observation.running is not None:
        kinds = [[type(part) for part in orders[name]] for name in (chosen, observation.running)]
        if kinds[0] == kinds[1]:
            assert orders[chosen] < orders[observation.running]  # type: ignore[operator]


@given(TO, OBSERVATIONS, LEFT, st.randoms())
def test_the_same_facts_give_the_same_choice(
    to: list[Previous | Version],
    observation: Observation,
    left: frozenset[str],
    random: object,
) -> None:
    """In whatever order the target lists its releases."""
    shuffled = list(observation.releases)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(to, observation, left) == choose(to, replace(observation, releases=tuple(shuffled)), left)
