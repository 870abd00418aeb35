"""Known-bad, failed and foreign releases are dropped whichever entry of `to` leads to them, unless overridden."""

from __future__ import annotations

import pytest

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Reason
from rules.marks import Mark, Marked
from rules.observations import Observation, Offer, ReleaseSeen
from rules.releases import choose
from rules.to import LastKnownGood, Previous, SameAs, Stable, To, Version, to_word

NONE: frozenset[str] = frozenset()
GOOD, BAD = Marked(Mark.KNOWN_GOOD), Marked(Mark.KNOWN_BAD)
SAME = SameAs({"track": ("stable",)})
SEEN = Observation(
    "v3",
    "arrival",
    0,
    tuple(ReleaseSeen(f"v{number}", (number,)) for number in (1, 2, 3, 4)),
    offers={to_word(SAME): Offer("v2")},
    platform="linux/amd64",
)


def known(manifest: Manifest, mark: Marked, stable: str = "v2") -> Catalogue:
    return Catalogue((manifest,), {"v2": mark}, stable)


@pytest.mark.parametrize("entry", [Previous(), Version("v2"), Stable(), SAME], ids=to_word)
@pytest.mark.parametrize(
    ("manifest", "mark", "reason"),
    [
        (Manifest("shop", "v2"), BAD, Reason.KNOWN_BAD),
        (Manifest("shop", "v2", passed_smoke_test=False), GOOD, Reason.SMOKE_TEST_FAILED),
        (Manifest("shop", "v2", platform="linux/arm64"), GOOD, Reason.WRONG_PLATFORM),
    ],
)
def test_each_entry_drops_it_and_a_person_may_waive_that_reason_alone(
    entry: To, manifest: Manifest, mark: Marked, reason: Reason
) -> None:
    """Naming the release is not enough; naming another reason neither."""
    catalogue = known(manifest, mark)
    choice = choose(
        [entry], SEEN, NONE, catalogue=catalogue, override=True, overridden=frozenset({"irreversible"})
    )
    assert {one.release: one.reason for one in choice.candidates}["v2"] is reason
    assert choice.chosen in (None, "v1")
    assert choose([entry], SEEN, NONE, catalogue=catalogue, overridden=frozenset({reason.value})).chosen == "v2"


def test_stable_is_what_the_pointer_names_and_never_newer() -> None:
    """Without a pointer, or where the target does not have it, nothing is guessed."""
    for pointer, chosen, reason in (
        ("v1", "v1", Reason.ALLOWED),
        ("v3", None, Reason.RELEASE_CURRENT),
        ("v4", None, Reason.RELEASE_NEWER),
        ("v9", None, Reason.RELEASE_MISSING),
        (None, None, Reason.NO_STABLE_POINTER),
    ):
        choice = choose([Stable()], SEEN, NONE, catalogue=Catalogue(stable=pointer))
        assert (choice.chosen, choice.candidates[0].reason) == (chosen, reason)
    assert choose([Stable()], SEEN, NONE).reason is Reason.NO_STABLE_POINTER


def test_the_pointer_may_name_a_release_by_its_manifest() -> None:
    """By a digest for instance, where the target calls it by its version."""
    digest = f"sha256:{'a' * 64}"
    catalogue = known(Manifest("shop", "v2", digests=(digest,)), GOOD, stable=digest)
    assert choose([Stable()], SEEN, NONE, catalogue=catalogue).chosen == "v2"


def test_a_release_that_only_people_call_good_can_be_overridden_into_being_gone_back_to() -> None:
    """`not-known-good` is waived by name; known-bad stays its own reason."""
    assert choose([LastKnownGood()], SEEN, NONE, overridden=frozenset({"not-known-good"})).chosen == "v2"
    bad = known(Manifest("shop", "v2"), BAD)
    assert (
        choose([LastKnownGood()], SEEN, NONE, catalogue=bad, overridden=frozenset({"not-known-good"})).chosen
        == "v1"
    )
    assert choose([LastKnownGood()], SEEN, NONE, catalogue=bad, overridden=frozenset({"known-bad"})).chosen is None


def test_the_same_bits_under_another_name_share_their_marks() -> None:
    """Known-bad content does not become good by a new tag."""
    releases = tuple(
        ReleaseSeen(name, (n,), content=bits)
        for n, (name, bits) in enumerate([("v1", "one"), ("v2", "two"), ("v2-again", "two"), ("v3", "three")])
    )
    observation = Observation("v3", "arrival", 0, releases)
    catalogue = Catalogue(marks={"v2": BAD, "v2-again": GOOD, "v1": GOOD})
    assert choose([LastKnownGood()], observation, NONE, catalogue=catalogue).chosen == "v1"


def test_a_sidecar_in_common_does_not_make_two_releases_one() -> None:
    """Several images each: the digests of one release must all be the other's, or the other way round."""
    app = [f"sha256:{letter * 64}" for letter in "123"]
    sidecar = f"sha256:{'f' * 64}"
    manifests = tuple(Manifest("shop", f"v{n}", digests=(app[n - 1], sidecar)) for n in (1, 2))
    catalogue = Catalogue(manifests)
    assert catalogue.manifest_of({"web-2", app[1], sidecar}) is manifests[1]
    assert catalogue.manifest_of({"web-3", app[2], sidecar}) is None
    assert catalogue.manifest_of({"v2", "unrelated"}) is manifests[1]
