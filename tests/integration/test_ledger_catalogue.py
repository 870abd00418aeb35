"""What is registered and thought of releases is remembered with its author; marks are lifted exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from testbed.redis import Redis

from controller.ledger import Ledger
from controller.ledger.catalogue import Contradiction
from rules.catalogue import Manifest
from rules.marks import Mark, Marked

D1, D2 = (f"sha256:{letter * 64}" for letter in "12")
V1 = Manifest(
    "shop", "v1", commit="c" * 40, digests=(D1,), built_at_ms=1_000, passed_smoke_test=True, notes="first"
)


def version(server: Redis) -> int:
    with server.client() as client:
        return int(client.hget("rc:book", "version") or 0)


def thought(ledger: Ledger, release: str = "v1", environment: str = "") -> Mark:
    return ledger.catalogue.marks("shop", environment).get(release, Marked(Mark.UNKNOWN)).mark


def test_a_manifest_is_registered_once(ledger: Ledger, redis_server: Redis) -> None:
    """The same again changes nothing, not even the book."""
    assert ledger.catalogue.register(V1, "ci") == "new"
    assert ledger.catalogue.manifests("shop") == (V1,)
    before = version(redis_server)
    assert ledger.catalogue.register(V1, "ci") == "same"
    assert ledger.catalogue.register(replace(V1, commit="c" * 12, notes=""), "ci") == "same"
    assert version(redis_server) == before == 1
    assert [entry.what for entry in ledger.catalogue.log("shop")] == ["register"]


@pytest.mark.parametrize(
    ("first", "then", "merged"),
    [
        ({}, {"commit": "c" * 40}, {"commit": "c" * 40}),
        ({"commit": "c" * 7}, {"commit": "c" * 40}, {"commit": "c" * 40}),
        ({"digests": (D1,)}, {"digests": (D2, D1)}, {"digests": (D2, D1)}),
        ({"passed_smoke_test": False}, {"passed_smoke_test": True}, {"passed_smoke_test": True}),
        ({"passed_smoke_test": True}, {"passed_smoke_test": False}, {"passed_smoke_test": False}),
        (
            {"built_at_ms": 1, "notes": "a"},
            {"irreversible": True},
            {"built_at_ms": 1, "notes": "a", "irreversible": True},
        ),
        ({"irreversible": True}, {"notes": "b"}, {"irreversible": True, "notes": "b"}),
    ],
)
def test_a_later_manifest_completes_it(
    ledger: Ledger, first: dict[str, Any], then: dict[str, Any], merged: dict[str, Any]
) -> None:
    """What it does not say stays; what does not identify the build is as it was said last."""
    ledger.catalogue.register(Manifest("shop", "v1", **first), "ci")
    assert ledger.catalogue.register(Manifest("shop", "v1", **then), "ci") == "completed"
    assert ledger.catalogue.manifests("shop") == (Manifest("shop", "v1", **merged),)


@pytest.mark.parametrize(
    ("field", "first", "then"),
    [
        ("commit", {"commit": "c" * 40}, {"commit": "d" * 40}),
        ("digests", {"digests": (D1,)}, {"digests": (D2,)}),
        ("artifact_sha256", {"artifact_sha256": "1" * 64}, {"artifact_sha256": "2" * 64}),
        ("platform", {"platform": "linux/amd64"}, {"platform": "linux/arm64"}),
        ("irreversible", {"irreversible": True}, {"cannot_go_back_past": "v0"}),
    ],
)
def test_a_contradiction_is_refused_with_both_shown(
    ledger: Ledger, field: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    """One version is one build; what stands is not touched."""
    stands = Manifest("shop", "v1", **first)
    ledger.catalogue.register(stands, "ci")
    with pytest.raises(Contradiction) as refused:
        ledger.catalogue.register(Manifest("shop", "v1", **then), "ci")
    assert (refused.value.field, refused.value.stands) == (field, stands)
    for value in (*first.values(), *then.values()):
        said = str(value).lower() if isinstance(value, bool) else "".join(value)
        assert said in str(refused.value)
    assert ledger.catalogue.manifests("shop") == (stands,)


def test_a_door_is_opened_by_saying_so_outright(ledger: Ledger) -> None:
    """Leaving the word out is not enough."""
    ledger.catalogue.register(Manifest("shop", "v1", irreversible=True), "ci")
    assert ledger.catalogue.register(Manifest("shop", "v1"), "ci") == "same"
    assert ledger.catalogue.register(Manifest("shop", "v1"), "alice", reversible=True) == "completed"
    assert not ledger.catalogue.manifests("shop")[0].irreversible


def test_the_newest_three_hundred_are_kept_and_doors_go_last(ledger: Ledger) -> None:
    """A service that is built hourly does not fill Redis, nor slow down every look at it."""
    ledger.catalogue.register(Manifest("shop", "door", irreversible=True), "ci")
    for n in range(305):
        ledger.catalogue.register(Manifest("shop", f"v{n:03}", built_at_ms=n + 1), "ci")
    kept = {manifest.version for manifest in ledger.catalogue.manifests("shop")}
    assert len(kept) == 300
    assert {"door", "v304"} <= kept
    assert ledger.catalogue.manifests("other") == ()


def test_two_pipelines_at_once_register_one_build(ledger: Ledger) -> None:
    """Whoever comes first has the version; everybody else with another commit is told."""

    def register(n: int) -> str:
        try:
            return ledger.catalogue.register(Manifest("shop", "v1", commit=f"{n:x}" * 40), f"ci{n}")
        except Contradiction:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(register, [*range(8), *range(8)]))
    (stands,) = ledger.catalogue.manifests("shop")
    assert sorted(answers) == ["new", *["refused"] * 14, "same"]
    assert stands.commit == f"{answers.index('new') % 8:x}" * 40


def test_a_mark_remembers_who_and_why(ledger: Ledger, redis_server: Redis) -> None:
    """And raises the book's version, so that a commit under way is judged anew; `unknown` takes it away."""
    assert ledger.catalogue.mark("shop", "v1", Mark.KNOWN_BAD, by="alice", why="leaks memory")
    marked = ledger.catalogue.marks("shop", "prod")["v1"]
    assert (marked.mark, marked.by, marked.why) == (Mark.KNOWN_BAD, "alice", "leaks memory")
    assert marked.at_ms
    assert ledger.catalogue.mark("shop", "v1", Mark.UNKNOWN, by="bob", why="it did not")
    assert version(redis_server) == 2
    assert not ledger.catalogue.mark("shop", "v1", Mark.UNKNOWN, by="bob")
    told = [(entry.what, entry.by, entry.why) for entry in ledger.catalogue.log("shop")]
    assert told == [("unknown", "bob", "it did not"), ("known-bad", "alice", "leaks memory")]
    assert "leaks memory" in ledger.catalogue.log("shop")[0].before


def test_marks_of_an_environment_stand_beside_those_of_all(ledger: Ledger) -> None:
    """Doubt outweighs, wherever it was said."""
    ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="ci")
    ledger.catalogue.mark("shop", "v1", Mark.KNOWN_BAD, by="alice", environment="prod")
    ledger.catalogue.mark("shop", "v2", Mark.KNOWN_GOOD, by="bob", environment="prod")
    assert [thought(ledger, "v1", where) for where in ("", "dev", "prod")] == [
        Mark.KNOWN_GOOD,
        Mark.KNOWN_GOOD,
        Mark.KNOWN_BAD,
    ]
    assert thought(ledger, "v2", "dev") is Mark.UNKNOWN
    assert ledger.catalogue.of("shop", "prod").mark_of({"v2"}).by == "bob"


def by_rollback(ledger: Ledger, rollback: str, mark: Mark) -> None:
    ledger.catalogue.mark("shop", "v1", mark, by=f"rollback {rollback}", rollback=rollback)


@pytest.mark.parametrize("before", [None, Mark.KNOWN_GOOD])
def test_an_ineffective_rollback_leaves_the_mark_as_it_was(ledger: Ledger, before: Mark | None) -> None:
    """Suspect from commit on, and back to exactly what stood there."""
    if before:
        ledger.catalogue.mark("shop", "v1", before, by="alice", why="weeks of traffic")
    stood = ledger.catalogue.marks("shop", "")
    by_rollback(ledger, "r1", Mark.SUSPECT)
    assert thought(ledger) is Mark.SUSPECT
    assert ledger.catalogue.lift("shop", "r1") == ("v1",)
    assert ledger.catalogue.marks("shop", "") == stood
    assert ledger.catalogue.lift("shop", "r1") == ()


def test_a_recovered_rollback_that_is_undone_takes_both_its_marks_with_it(ledger: Ledger) -> None:
    """Suspect, then known-bad: what stood before is what stood before the first."""
    ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="alice")
    by_rollback(ledger, "r1", Mark.SUSPECT)
    by_rollback(ledger, "r1", Mark.KNOWN_BAD)
    by_rollback(ledger, "r1", Mark.KNOWN_BAD)
    assert thought(ledger) is Mark.KNOWN_BAD
    ledger.catalogue.lift("shop", "r1", by="bob")
    assert thought(ledger) is Mark.KNOWN_GOOD
    assert ledger.catalogue.log("shop")[0].by == "bob"


def test_one_rollback_of_several_is_lifted_from_beneath_the_others(ledger: Ledger) -> None:
    """Two canaries left the same release: each takes away its own mark only."""
    by_rollback(ledger, "r1", Mark.SUSPECT)
    by_rollback(ledger, "r2", Mark.SUSPECT)
    ledger.catalogue.lift("shop", "r1")
    assert thought(ledger) is Mark.SUSPECT
    ledger.catalogue.lift("shop", "r2")
    assert thought(ledger) is Mark.UNKNOWN


def test_a_doubt_does_not_weaken_what_is_certain(ledger: Ledger) -> None:
    """A person's known-bad stays while a rollback leaves the release, and after it."""
    ledger.catalogue.mark("shop", "v1", Mark.KNOWN_BAD, by="alice")
    by_rollback(ledger, "r1", Mark.SUSPECT)
    assert thought(ledger) is Mark.KNOWN_BAD
    ledger.catalogue.lift("shop", "r1")
    assert ledger.catalogue.marks("shop", "")["v1"].by == "alice"


def test_what_a_person_says_after_a_rollback_stands(ledger: Ledger) -> None:
    """Its mark is gone, and there is nothing to lift."""
    by_rollback(ledger, "r1", Mark.SUSPECT)
    ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="alice")
    assert ledger.catalogue.lift("shop", "r1") == ()
    assert thought(ledger) is Mark.KNOWN_GOOD


def test_what_the_observer_sees_changes_no_doubt(ledger: Ledger, redis_server: Redis) -> None:
    """It only tells good from unknown, and tells it once."""
    assert ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="observer")
    before = version(redis_server)
    assert not ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="observer")
    by_rollback(ledger, "r1", Mark.SUSPECT)
    assert not ledger.catalogue.mark("shop", "v1", Mark.KNOWN_GOOD, by="observer")
    assert thought(ledger) is Mark.SUSPECT
    assert version(redis_server) == before + 1


def test_stable_is_declared_for_one_environment_or_for_all(ledger: Ledger) -> None:
    """The environment's own pointer wins; an empty one takes it away."""
    point = ledger.catalogue.point
    assert point("shop", "", "v1", "alice") == ""
    assert point("shop", "prod", "v2", "bob") == ""
    assert [ledger.catalogue.of("shop", where).stable for where in ("prod", "dev")] == ["v2", "v1"]
    assert point("shop", "prod", "", "bob") == "v2"
    assert ledger.catalogue.of("shop", "prod").stable == "v1"
    assert [(one.environment, one.release, one.by) for one in ledger.catalogue.pointers("shop")] == [
        ("", "v1", "alice")
    ]
    assert ledger.catalogue.of("other", "prod").stable is None


def test_marks_by_two_writers_at_once_are_all_lifted(ledger: Ledger) -> None:
    """Twenty rollbacks of one release, each with its mark."""
    ids = [f"r{n}" for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda ident: by_rollback(ledger, ident, Mark.SUSPECT), ids))
        assert thought(ledger) is Mark.SUSPECT
        list(pool.map(lambda ident: ledger.catalogue.lift("shop", ident), ids))
    assert thought(ledger) is Mark.UNKNOWN
