"""`last-known-good` walks back to the newest release that is known to be good; every other has its one reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Reason
from rules.marks import Mark, Marked
from rules.observations import Observation, ReleaseSeen
from rules.releases import Choice, choose
from rules.to import LastKnownGood, Previous, Version

NONE: frozenset[str] = frozenset()
V1, V2, V3, V4, V5 = (ReleaseSeen(f"v{number}", (number,)) for number in (1, 2, 3, 4, 5))
GOOD, BAD, SUSPECT = Marked(Mark.KNOWN_GOOD), Marked(Mark.KNOWN_BAD, "alice", "leaks"), Marked(Mark.SUSPECT)
LKG = [LastKnownGood()]


def seen(*releases: ReleaseSeen, running: str | None = "v4") -> Observation:
    return Observation(running, "arrival", 0, releases or (V1, V2, V3, V4, V5))


def known(*manifests: Manifest, **marks: Marked) -> Catalogue:
    return Catalogue(manifests, marks)


def manifest(version: str, **fields: object) -> Manifest:
    return Manifest("shop", version, **fields)  # type: ignore[arg-type]


def reasons(choice: Choice) -> dict[str, Reason]:
    found = {candidate.release: candidate.reason for candidate in choice.candidates}
    assert len(found) == len(choice.candidates)
    return found


def test_the_newest_known_good_one_before_the_running_one() -> None:
    """A newer one is not gone forward to, and older good ones stand behind it."""
    choice = choose(LKG, seen(), NONE, catalogue=known(v1=GOOD, v2=GOOD, v5=GOOD))
    assert choice.chosen == "v2"
    assert reasons(choice) == {
        "v5": Reason.RELEASE_NEWER,
        "v4": Reason.RELEASE_CURRENT,
        "v3": Reason.NOT_KNOWN_GOOD,
        "v2": Reason.ALLOWED,
        "v1": Reason.ALLOWED,
    }


@pytest.mark.parametrize(
    ("changed", "catalogue", "reason", "says"),
    [
        ({}, known(v3=BAD), Reason.KNOWN_BAD, "by alice (leaks)"),
        ({}, known(v3=SUSPECT), Reason.NOT_KNOWN_GOOD, "not judged yet"),
        ({}, known(), Reason.NOT_KNOWN_GOOD, "nothing is known of it"),
        (
            {},
            known(manifest("v3", passed_smoke_test=False), v3=GOOD),
            Reason.SMOKE_TEST_FAILED,
            "failed its smoke test",
        ),
        (
            {},
            known(manifest("v3", platform="linux/arm64"), v3=GOOD),
            Reason.WRONG_PLATFORM,
            "built for linux/arm64 and this instance is linux/amd64",
        ),
        ({"complete": False}, known(v3=GOOD), Reason.RELEASE_INCOMPLETE, "not complete"),
        ({"executable": False}, known(v3=GOOD), Reason.RELEASE_NOT_EXECUTABLE, "cannot be executed"),
        ({"allowed": False}, known(v3=GOOD), Reason.RELEASE_NOT_ALLOWED, "`pattern`"),
        (
            {"unfit": (Reason.DIGEST_UNKNOWN, "its tag moves")},
            known(v3=GOOD),
            Reason.DIGEST_UNKNOWN,
            "its tag moves",
        ),
        ({"content": "same"}, known(v3=GOOD), Reason.RELEASE_CURRENT, "v3 is v4, which runs now"),
    ],
)
def test_what_will_not_do_is_passed_over(
    changed: dict[str, object], catalogue: Catalogue, reason: Reason, says: str
) -> None:
    """Each with its own reason; the next older one has its place."""
    observation = seen(V2, replace(V3, **changed), replace(V4, content="same"))  # type: ignore[arg-type]
    catalogue = replace(catalogue, marks={**catalogue.marks, "v2": GOOD})
    choice = choose(LKG, observation, NONE, catalogue=catalogue, platform="linux/amd64")
    (dropped,) = [candidate for candidate in choice.candidates if candidate.release == "v3"]
    assert (choice.chosen, dropped.reason) == ("v2", reason)
    assert says in dropped.detail


def test_a_platform_that_either_side_does_not_know_drops_nothing() -> None:
    """What is known of the instance itself counts where the caller does not say."""
    catalogue = known(manifest("v3", platform="linux/arm64"), v3=GOOD)
    assert choose(LKG, seen(), NONE, catalogue=catalogue).chosen == "v3"
    assert choose(LKG, replace(seen(), platform="linux/amd64"), NONE, catalogue=catalogue).chosen is None
    plain = known(manifest("v3"), v3=GOOD)
    assert choose(LKG, seen(), NONE, catalogue=plain, platform="linux/amd64").chosen == "v3"


def test_trap_13_two_rollbacks_in_a_row_do_not_go_back_and_forth() -> None:
    """What was just left is passed over, also as another name for the same content."""
    catalogue = known(v2=GOOD, v3=GOOD)
    assert choose(LKG, seen(), frozenset({"v3"}), catalogue=catalogue).chosen == "v2"
    again = ReleaseSeen("v3-again", (3, 1), content="three")
    observation = seen(V2, replace(V3, content="three"), again, V4)
    assert choose(LKG, observation, frozenset({"v3"}), catalogue=catalogue).chosen == "v2"


def test_trap_13_all_history_is_bad() -> None:
    """Nothing is chosen and nothing proposed: a person is told."""
    choice = choose(LKG, seen(), NONE, catalogue=known(v1=BAD, v2=BAD, v3=BAD))
    assert (choice.chosen, choice.proposed, choice.reason) == (None, None, Reason.NO_CANDIDATE)


def test_on_day_one_the_newest_unknown_one_is_proposed() -> None:
    """Nobody ever knew anything of any release but the running one; a person is asked."""
    choice = choose(LKG, seen(), NONE, catalogue=known(v4=GOOD))
    assert (choice.chosen, choice.proposed, choice.reason) == (None, "v3", Reason.NOTHING_KNOWN_GOOD)


@pytest.mark.parametrize(
    ("catalogue", "left", "proposed"),
    [
        (known(manifest("v3", passed_smoke_test=False)), NONE, "v2"),
        (known(v3=SUSPECT), NONE, "v2"),
        (known(), frozenset({"v3"}), "v2"),
        (known(v1=BAD), NONE, None),
        (known(v5=BAD), NONE, None),
        (known(manifest("v4", irreversible=True)), NONE, None),
    ],
)
def test_what_is_proposed_is_fit_otherwise(
    catalogue: Catalogue, left: frozenset[str], proposed: str | None
) -> None:
    """And once anything is known of another release it is no day one any more."""
    choice = choose(LKG, seen(), left, catalogue=catalogue)
    assert (choice.chosen, choice.proposed) == (None, proposed)


def test_on_day_one_the_next_entry_may_still_decide() -> None:
    """The rule's owner said so; then nothing is proposed."""
    choice = choose([LastKnownGood(), Previous()], seen(), NONE)
    assert (choice.chosen, choice.proposed) == ("v3", None)


def test_a_good_release_that_is_gone_is_listed() -> None:
    """Once, under its version, whatever words its marks are under; at most the newest five are."""
    sha = "a" * 64
    catalogue = known(manifest("v0", artifact_sha256=sha), v0=GOOD, **{sha: GOOD}, v1=GOOD)
    choice = choose(LKG, seen(V1, V4), NONE, catalogue=catalogue)
    assert reasons(choice)["v0"] is Reason.RELEASE_MISSING
    many = known(**{f"w{n}": Marked(Mark.KNOWN_GOOD, at_ms=n) for n in range(9)})
    listed = [one.release for one in choose(LKG, seen(), NONE, catalogue=many).candidates][5:]
    assert listed == ["w8", "w7", "w6", "w5", "w4"]


@pytest.mark.parametrize(("running", "says"), [(None, "nothing runs here"), ("v9", "not among the releases")])
def test_where_the_running_release_has_no_place_it_holds(running: str | None, says: str) -> None:
    """Older than what? It would be a guess."""
    choice = choose(LKG, seen(running=running), NONE, catalogue=known(v1=GOOD))
    assert (choice.chosen, choice.reason) == (None, Reason.NO_CANDIDATE)
    assert says in choice.candidates[0].detail


def test_what_the_target_says_of_its_history_goes_first() -> None:
    """A driver that knows that nothing stands before the running release knows best."""
    observation = replace(seen(), no_history=(Reason.FIRST_RELEASE, "it is the first"))
    choice = choose(LKG, observation, NONE, catalogue=known(v3=GOOD))
    assert (choice.chosen, choice.reason) == (None, Reason.FIRST_RELEASE)


def test_one_image_with_two_configurations_is_two_releases() -> None:
    """They share a manifest; going back to the older configuration is going back."""
    old, new = (ReleaseSeen(f"v3+{n}", (n,), aliases=("v3",), content=f"template {n}") for n in (1, 2))
    catalogue = known(manifest("v3"), **{"v3+1": GOOD})
    assert choose(LKG, seen(old, new, running="v3+2"), NONE, catalogue=catalogue).chosen == "v3+1"
    unknown = [replace(one, content="") for one in (old, new)]
    assert choose(LKG, seen(*unknown, running="v3+2"), NONE, catalogue=catalogue).chosen is None


def test_a_manifest_joins_what_hosts_and_clusters_call_a_release() -> None:
    """A mark under a version counts for the directory that is named after the commit."""
    directory = ReleaseSeen("3f2a1b9", (1,))
    catalogue = known(manifest("v1.2.2", commit="3f2a1b9c0d" * 4), **{"v1.2.2": GOOD})
    assert choose(LKG, seen(directory, V4), NONE, catalogue=catalogue).chosen == "3f2a1b9"
    assert choose([Version("v1.2.2")], seen(directory, V4), NONE, catalogue=catalogue).chosen == "3f2a1b9"
