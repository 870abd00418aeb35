"""After an irreversible release nothing older runs again, unless a person overrides that by name."""

from __future__ import annotations

import pytest

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Reason
from rules.marks import Mark, Marked
from rules.observations import Observation, Offer, ReleaseSeen
from rules.releases import choose
from rules.to import LastKnownGood, Previous, SameAs, ScaleToZero, Stable, To, Version, to_word

NONE: frozenset[str] = frozenset()
V = [ReleaseSeen(f"v{number}", (number,)) for number in range(7)]
GOOD = Marked(Mark.KNOWN_GOOD)
SAME = SameAs({"track": ("stable",)})


def manifest(version: str, **fields: object) -> Manifest:
    return Manifest("shop", version, **fields)  # type: ignore[arg-type]


def seen(*numbers: int, running: str = "v5", same: str = "v4") -> Observation:
    offers = {to_word(SAME): Offer(same), to_word(ScaleToZero()): Offer("scaled-to-zero")}
    return Observation(running, "arrival", 0, tuple(V[number] for number in numbers), offers=offers)


def known(*manifests: Manifest, stable: str | None = None) -> Catalogue:
    return Catalogue(manifests, {release.name: GOOD for release in V}, stable)


BUILT = [manifest("v5", built_at_ms=50), manifest("v3", irreversible=True, built_at_ms=30)]


@pytest.mark.parametrize(
    ("on_target", "manifests", "chosen"),
    [
        pytest.param((1, 2, 3, 4, 5), [], "v4", id="no door"),
        pytest.param((1, 2, 3, 5), [manifest("v5", irreversible=True)], None, id="what runs is the door"),
        pytest.param((1, 2, 3, 5), [manifest("v3", irreversible=True)], "v3", id="the door itself may run"),
        pytest.param((1, 2, 3, 5), [manifest("v6", irreversible=True)], "v3", id="not passed yet"),
        pytest.param((1, 2, 3, 5), [manifest("v5", cannot_go_back_past="v2")], "v3", id="newer than the limit"),
        pytest.param((1, 2, 5), [manifest("v5", cannot_go_back_past="v2")], "v2", id="the limit itself"),
        pytest.param((1, 2, 5), [manifest("v5", cannot_go_back_past="v3")], None, id="an unknown limit bars all"),
        pytest.param(
            (1, 3, 5), [manifest("v3", cannot_go_back_past="v2")], "v3", id="only what is older than the door"
        ),
        pytest.param(
            (1, 5),
            [manifest("v5", cannot_go_back_past="c0ffee1"), manifest("v1", commit="c0ffee1" + "0" * 33)],
            "v1",
            id="the limit by its commit",
        ),
        pytest.param(
            (2, 5),
            [*BUILT, manifest("v2", built_at_ms=20)],
            None,
            id="a door that never was here, and what runs was built after it",
        ),
        pytest.param(
            (2, 5),
            [manifest("v5", built_at_ms=50), manifest("v6", irreversible=True, built_at_ms=60)],
            "v2",
            id="a door that was built after what runs",
        ),
        pytest.param(
            (2, 5),
            [manifest("v3", irreversible=True, built_at_ms=30)],
            "v2",
            id="a door elsewhere, with nothing to say that it was passed",
        ),
        pytest.param(
            (2, 4, 5),
            BUILT,
            None,
            id="which side of the door it is on is not known",
        ),
        pytest.param(
            (2, 3, 4, 5),
            [
                manifest("v5", built_at_ms=50),
                manifest("v3", built_at_ms=31),
                manifest("w", irreversible=True, built_at_ms=30),
            ],
            "v4",
            id="newer than one that was built after the door",
        ),
        pytest.param(
            (3, 5),
            [
                manifest("v5", cannot_go_back_past="v2"),
                manifest("v2", built_at_ms=20),
                manifest("v3", built_at_ms=30),
            ],
            "v3",
            id="a limit that is gone, and the candidate was built after it",
        ),
    ],
)
def test_the_newest_release_on_this_side_of_the_door(
    on_target: tuple[int, ...], manifests: list[Manifest], chosen: str | None
) -> None:
    """All of them are known to be good; the doors alone decide."""
    choice = choose([LastKnownGood()], seen(*on_target), NONE, catalogue=known(*manifests))
    assert choice.chosen == chosen
    if chosen is None:
        assert Reason.BEHIND_IRREVERSIBLE in {candidate.reason for candidate in choice.candidates}


DOOR = manifest("v5", irreversible=True)


@pytest.mark.parametrize("entry", [LastKnownGood(), Previous(), Version("v4"), Stable(), SAME], ids=to_word)
def test_every_way_back_stops_at_the_door(entry: To) -> None:
    """And a person opens it by name."""
    observation = seen(3, 4, 5)
    catalogue = known(DOOR, stable="v4")
    barred = choose([entry], observation, NONE, catalogue=catalogue, override=True)
    assert barred.chosen is None
    reasons = {candidate.release: candidate for candidate in barred.candidates}
    assert reasons["v4"].reason is Reason.BEHIND_IRREVERSIBLE
    assert "v5, which is irreversible" in reasons["v4"].detail
    for word in ("irreversible", "behind-irreversible"):
        opened = choose([entry], observation, NONE, catalogue=catalogue, overridden=frozenset({word}))
        assert opened.chosen == "v4"


def test_an_offer_whose_place_is_not_known_is_barred_by_a_door_that_was_passed() -> None:
    """No door, no bar; and no pods at all is no older release."""
    observation = seen(4, 5, same="w9")
    assert choose([SAME], observation, NONE, catalogue=known()).chosen == "w9"
    assert choose([SAME], observation, NONE, catalogue=known(DOOR)).chosen is None
    assert choose([ScaleToZero()], observation, NONE, catalogue=known(DOOR)).chosen == "scaled-to-zero"


def test_without_a_place_for_what_runs_a_door_on_the_target_counts_as_passed() -> None:
    """A named version still works where it is on this side of every door."""
    catalogue = known(manifest("v3", irreversible=True))
    observation = seen(2, 3, 4, running="w9")
    assert choose([Version("v2")], observation, NONE, catalogue=catalogue).chosen is None
    assert choose([Version("v4")], observation, NONE, catalogue=catalogue).chosen == "v4"
