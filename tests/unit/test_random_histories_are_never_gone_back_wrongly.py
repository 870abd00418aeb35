"""Random histories: never to a bad, foreign, newer or barred release; always one reason, always the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Reason
from rules.marks import Mark, Marked
from rules.observations import Observation, ReleaseSeen
from rules.releases import Choice, choose
from rules.to import LastKnownGood, Previous, Stable, To, Version

NUMBERS = range(1, 8)
NAMES = [f"v{number}" for number in NUMBERS]
PLATFORM = "linux/amd64"

releases = st.lists(st.sampled_from(NUMBERS), unique=True).map(
    lambda numbers: tuple(ReleaseSeen(f"v{number}", (number,)) for number in numbers)
)
flawed = releases.flatmap(
    lambda found: st.tuples(
        *(
            st.builds(
                replace,
                st.just(one),
                complete=st.booleans(),
                unfit=st.sampled_from([None, None, (Reason.DIGEST_UNKNOWN, "its tag moves")]),
                content=st.sampled_from(["", f"bits of {one.name}", "shared"]),
            )
            for one in found
        )
    )
)
observations = st.builds(
    Observation,
    st.sampled_from([None, *NAMES]),
    st.just("arrival"),
    st.just(0),
    flawed,
    platform=st.just(PLATFORM),
)
manifests = st.lists(
    st.builds(
        Manifest,
        st.just("shop"),
        st.sampled_from(NAMES),
        passed_smoke_test=st.sampled_from([None, True, False]),
        platform=st.sampled_from(["", PLATFORM, "linux/arm64"]),
        irreversible=st.integers(0, 4).map(lambda n: n == 0),
        cannot_go_back_past=st.sampled_from(["", "", "", *NAMES]),
    ),
    unique_by=lambda one: one.version,
).map(tuple)
catalogues = st.builds(
    Catalogue,
    manifests,
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(list(Mark)).map(Marked)),
    st.sampled_from([None, *NAMES]),
)
lefts = st.frozensets(st.sampled_from(NAMES), max_size=2)
entries: st.SearchStrategy[list[To]] = st.lists(
    st.one_of(
        st.just(LastKnownGood()),
        st.just(Previous()),
        st.just(Stable()),
        st.builds(Version, st.sampled_from(NAMES)),
    ),
    min_size=1,
    max_size=3,
)


def number(name: str) -> int:
    return int(name.removeprefix("v"))


def chosen_or_proposed(choice: Choice) -> set[str]:
    return {name for name in (choice.chosen, choice.proposed) if name is not None}


@given(entries, observations, catalogues, lefts)
def test_never_to_what_the_catalogue_speaks_against(
    to: list[To], observation: Observation, catalogue: Catalogue, left: frozenset[str]
) -> None:
    """Whatever the rule allows: known-bad, failed, foreign, just left, broken, or what runs."""
    for name in chosen_or_proposed(choose(to, observation, left, catalogue=catalogue)):
        (release,) = [one for one in observation.releases if one.name == name]
        manifest = catalogue.manifest_of({name})
        assert catalogue.mark_of({name}).mark is not Mark.KNOWN_BAD
        assert name not in left
        assert name != observation.running
        assert release.complete
        assert release.unfit is None
        if manifest is not None:
            assert manifest.passed_smoke_test is not False
            assert manifest.platform in ("", PLATFORM)


@given(entries, observations, catalogues)
def test_never_past_a_one_way_door(to: list[To], observation: Observation, catalogue: Catalogue) -> None:
    """A release between the candidate and what runs, or what runs itself, that cannot be gone back behind.

    Each has bits of its own: the same bits as a door's are on its far side, whatever their name.
    """
    observation = replace(observation, releases=tuple(replace(one, content="") for one in observation.releases))
    present = {one.name for one in observation.releases}
    for name in chosen_or_proposed(choose(to, observation, frozenset(), catalogue=catalogue)):
        if observation.running not in present:
            continue
        between = range(number(name) + 1, number(observation.running or "") + 1)
        for manifest in catalogue.manifests:
            if number(manifest.version) in between and manifest.version in present:
                assert not manifest.irreversible
                if limit := manifest.cannot_go_back_past:
                    assert limit in present
                    assert number(name) >= number(limit)


BACK_ONLY: list[To] = [LastKnownGood(), Previous(), Stable()]


@given(st.sampled_from(BACK_ONLY), observations, catalogues, lefts)
def test_never_forward(to: To, observation: Observation, catalogue: Catalogue, left: frozenset[str]) -> None:
    """Only a release that is named may be newer."""
    for name in chosen_or_proposed(choose([to], observation, left, catalogue=catalogue)):
        assert observation.running is not None
        assert number(name) < number(observation.running)


@given(observations, catalogues, lefts)
def test_last_known_good_is_known_to_be_good_and_what_is_proposed_is_unknown(
    observation: Observation, catalogue: Catalogue, left: frozenset[str]
) -> None:
    """By a mark of the release or of the same bits under another name."""
    choice = choose([LastKnownGood()], observation, left, catalogue=catalogue)
    assert choice.chosen is None or choice.proposed is None
    for name in chosen_or_proposed(choice):
        (release,) = [one for one in observation.releases if one.name == name]
        twins = {
            one.name for one in observation.releases if one is release or one.content == release.content != ""
        }
        wanted = Mark.UNKNOWN if name == choice.proposed else Mark.KNOWN_GOOD
        assert catalogue.mark_of(twins).mark is wanted


@given(entries, observations, catalogues, lefts)
def test_exactly_one_reason_for_each_candidate(
    to: list[To], observation: Observation, catalogue: Catalogue, left: frozenset[str]
) -> None:
    """And each says what to do."""
    for entry in to:
        choice = choose([entry], observation, left, catalogue=catalogue)
        names = [candidate.release for candidate in choice.candidates]
        assert len(names) == len(set(names))
        for candidate in choice.candidates:
            assert candidate.kept is (candidate.reason is Reason.ALLOWED)
            assert candidate.detail
    walked = choose([LastKnownGood()], observation, left, catalogue=catalogue)
    assert {one.name for one in observation.releases} <= {candidate.release for candidate in walked.candidates}


@given(entries, observations, catalogues, lefts, st.integers())
def test_the_same_facts_give_the_same_choice(
    to: list[To], observation: Observation, catalogue: Catalogue, left: frozenset[str], seed: int
) -> None:
    """In whatever order the target and the catalogue list what they know."""
    shuffled = list(observation.releases)
    Random(seed).shuffle(shuffled)
    marks = dict(sorted(catalogue.marks.items(), key=lambda item: hash((seed, item[0]))))
    other = Catalogue(catalogue.manifests[::-1], marks, catalogue.stable)
    first = choose(to, observation, left, catalogue=catalogue)
    assert choose(to, replace(observation, releases=tuple(shuffled)), left, catalogue=other) == first


@given(observations, catalogues, lefts)
def test_a_fit_known_good_release_is_found(
    observation: Observation, catalogue: Catalogue, left: frozenset[str]
) -> None:
    """Plain ones, with no door anywhere: if there is one, it or a newer one is chosen."""
    open_doors = tuple(replace(one, irreversible=False, cannot_go_back_past="") for one in catalogue.manifests)
    plain = tuple(replace(one, content="") for one in observation.releases)
    observation, catalogue = replace(observation, releases=plain), replace(catalogue, manifests=open_doors)
    fit = [one.name for one in plain if _is_fit(one, observation, catalogue, left)]
    chosen = choose([LastKnownGood()], observation, left, catalogue=catalogue).chosen
    assert chosen == max(fit, key=number, default=None)


def _is_fit(one: ReleaseSeen, observation: Observation, catalogue: Catalogue, left: frozenset[str]) -> bool:
    manifest = catalogue.manifest_of({one.name}) or Manifest("shop", one.name)
    running = observation.running
    here = running is not None and any(other.name == running for other in observation.releases)
    return (
        here
        and number(one.name) < number(running or "")
        and one.complete
        and one.unfit is None
        and one.name not in left
        and catalogue.mark_of({one.name}).mark is Mark.KNOWN_GOOD
        and manifest.passed_smoke_test is not False
        and manifest.platform in ("", PLATFORM)
    )
