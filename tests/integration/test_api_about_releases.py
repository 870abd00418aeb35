"""The catalogue over the API: registered by pipelines, marked by people, asked by both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face

from controller.ledger import Look
from rules.marks import Mark

SHOP = "/api/v1/releases/shop"
PLAIN = {"version": "v1.3.0", "commit": "3f2a1b9", "built_at": "2026-01-22T03:47:00Z", "passed_smoke_test": True}
WEB2 = "hosts/default/shop/web2"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def ask(face: WebFace, path: str, body: object = None, *, status: int = 200, **how: Any) -> dict[str, Any]:
    answer = face.ask(f"{SHOP}{path}", body=body, **how)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json  # type: ignore[assignment]
    return found


def mark(face: WebFace, release: str, word: str, **over: str) -> dict[str, Any]:
    return ask(face, "/marks", {"release": release, "mark": word, **over})


def runs(face: WebFace, *names: str, instance: str = WEB2, pin: str = "p1") -> None:
    face.ledger.roster.seen([Look(instance, "shop", "", "default", names, pin, healthy=True)])


def test_a_build_is_registered_and_shown(face: WebFace) -> None:
    """As it was said, with who said it; the same again is no other."""
    assert ask(face, "", PLAIN, status=201) == {"releases": [{"version": "v1.3.0", "registered": "new"}]}
    assert ask(face, "", PLAIN) == {"releases": [{"version": "v1.3.0", "registered": "same"}]}
    (shown,) = ask(face, "")["releases"]
    assert shown["manifest"] == {**PLAIN, "service": "shop", "built_at": "2026-01-22T03:47:00.000Z"}
    assert (shown["release"], shown["registered_by"], shown["mark"]) == ("v1.3.0", "operator", "unknown")
    assert ask(face, "", {**shown["manifest"]})["releases"][0]["registered"] == "same"


def test_several_at_once_and_the_newest_five_are_shown(face: WebFace) -> None:
    """By when they were built, whatever order they come in."""
    builds = [{"version": f"v{n}", "built_at": f"2026-01-0{n}T00:00:00Z"} for n in (3, 1, 7, 2, 6, 4, 5)]
    assert len(ask(face, "", builds, status=201)["releases"]) == 7
    shown = ask(face, "")
    assert [one["release"] for one in shown["releases"]] == ["v7", "v6", "v5", "v4", "v3"]
    assert shown["more"] == 2
    assert len(ask(face, "?limit=7")["releases"]) == 7


@pytest.mark.parametrize(
    ("sent", "field", "says"),
    [
        (b"{", "body", "no JSON"),
        ({"version": "v1", "digest": "x"}, "digest", "did you mean `digests`?"),
        ({"version": "v1", "digests": ["sha256:12"]}, "digests.0", "64 hexadecimal digits"),
        ([{"version": "v1"}, {"version": "v2", "built_at": "today"}], "built_at", "manifest 1"),
        ({"version": "v1", "irreversible": True, "cannot-go-back-past": "v0"}, "irreversible", "contradict"),
        (
            {"version": "v0", "built_at": "2026-01-01T00:00:00Z", "cannot-go-back-past": "v9"},
            "cannot-go-back-past",
            "built no earlier",
        ),
        ({"version": "v1", "service": "web"}, "service", "registered for shop"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_at_its_field(
    face: WebFace, sent: object, field: str, says: str
) -> None:
    """And nothing of it is registered."""
    ask(face, "", {"version": "v9", "built_at": "2026-01-09T00:00:00Z"}, status=201)
    told = ask(face, "", sent, status=400)
    assert told["field"] == field
    assert says in told["error"]
    assert [one["release"] for one in ask(face, "")["releases"]] == ["v9"]


def test_a_contradiction_shows_both(face: WebFace) -> None:
    """One version is one build."""
    ask(face, "", PLAIN, status=201)
    told = ask(face, "", {**PLAIN, "commit": "c0ffee1"}, status=409)
    assert (told["field"], told["stands"]["commit"], told["says"]["commit"]) == ("commit", "3f2a1b9", "c0ffee1")
    assert "Give the new build a version of its own" in told["error"]


def test_a_mark_has_an_author_and_a_verdict(face: WebFace) -> None:
    """By any name of the release; `unknown` takes it back."""
    ask(face, "", PLAIN, status=201)
    told = mark(face, "3f2a1b9", "bad", why="leaks")
    assert (told["verdict"], told["by"], told["why"], told["known"]) == ("bad", "operator", "leaks", True)
    assert ask(face, "/verdict?release=v1.3.0")["verdict"] == "bad"
    (shown,) = ask(face, "")["releases"]
    assert shown["mark"] == "known-bad"
    assert [(one["release"], one["mark"], one["why"]) for one in shown["marks"]] == [
        ("3f2a1b9", "known-bad", "leaks")
    ]
    assert mark(face, "3f2a1b9", "unknown")["verdict"] == "unknown"
    assert ask(face, "/log")["log"][0]["what"] == "unknown"


def test_what_nobody_ever_heard_of_is_marked_with_a_warning(face: WebFace) -> None:
    """It may be on its way; it may be misspelt."""
    assert mark(face, "v9", "good")["known"] is False
    answer = face.ask("/api/v1/releases/shp/marks", body={"release": "v9", "mark": "good"})
    assert "it has: shop" in answer.json["note"]  # type: ignore[index]


def test_a_failed_smoke_test_is_a_bad_verdict(face: WebFace) -> None:
    """Whatever else is said."""
    ask(face, "", {**PLAIN, "passed_smoke_test": False}, status=201)
    told = mark(face, "v1.3.0", "good")
    assert (told["verdict"], told["why"]) == ("bad", "it failed its smoke test, as its manifest says")


def test_marks_are_of_an_environment_or_of_all(face: WebFace) -> None:
    """What is bad in one is not bad in another; what is bad everywhere is bad there."""
    mark(face, "v1", "bad", environment="prod")
    verdicts = [ask(face, f"/verdict?release=v1&environment={name}")["verdict"] for name in ("prod", "dev", "")]
    assert verdicts == ["bad", "unknown", "unknown"]


def test_stable_is_declared(face: WebFace) -> None:
    """And taken away with null."""
    runs(face, "v1.2.0")
    put = {"method": "PUT"}
    assert ask(face, "/stable", {"release": "v1.2.0", "environment": "prod"}, **put)["before"] is None
    assert ask(face, "")["releases"][0]["stable_in"] == ["prod"]
    assert ask(face, "/stable", {"release": None, "environment": "prod"}, **put)["before"] == "v1.2.0"
    assert face.ledger.catalogue.pointers("shop") == ()


def test_a_release_that_runs_is_shown_with_where(face: WebFace) -> None:
    """One release, whatever the instances call it."""
    ask(face, "", PLAIN, status=201)
    runs(face, "v1.3.0+5d9c", "v1.3.0")
    runs(face, "3f2a1b9", instance="hosts/default/shop/web1")
    (shown,) = ask(face, "")["releases"]
    assert shown["runs_on"] == ["hosts/default/shop/web1", WEB2]


def test_it_is_ready_where_each_instance_has_a_good_release_to_go_back_to(face: WebFace) -> None:
    """What runs now counts: it is what the next release would be rolled back to."""
    runs(face, "v1.2.0")
    runs(face, "v1.3.0", pin="p2")
    told = ask(face, "/ready")
    assert (told["ready"], told["instances"][0]["reason"]) == (False, "nothing-known-good")
    mark(face, "v1.3.0", "good")
    told = ask(face, "/ready")
    assert (told["ready"], told["instances"][0]["to"], told["instances"][0]["running"]) == (
        True,
        "v1.3.0",
        "v1.3.0",
    )
    mark(face, "v1.3.0", "bad")
    mark(face, "v1.2.0", "good")
    assert ask(face, "/ready")["instances"][0]["to"] == "v1.2.0"
    ask(face, "", {"version": "v1.4.0", "irreversible": True}, status=201)
    barred = ask(face, "/ready?release=v1.4.0")
    assert not barred["ready"]
    assert {one["reason"] for one in barred["instances"][0]["candidates"]} >= {"behind-irreversible"}


def test_where_no_instance_was_seen_what_is_registered_counts(face: WebFace) -> None:
    """Before the observer has looked, or where it cannot."""
    assert ask(face, "/ready")["ready"] is False
    ask(face, "", PLAIN, status=201)
    face.ledger.catalogue.mark("shop", "v1.3.0", Mark.KNOWN_GOOD, by="ci")
    told = ask(face, "/ready")
    assert (told["ready"], told["seen"], told["instances"][0]["to"]) == (True, False, "v1.3.0")


@pytest.mark.parametrize(
    ("path", "body", "method", "field"),
    [
        ("/marks", {"release": "v1", "mark": "great"}, "POST", "mark"),
        ("/marks", {"release": "v1", "mark": "good", "colour": "red"}, "POST", "colour"),
        ("/marks", {"release": "a/b", "mark": "good"}, "POST", "release"),
        ("/stable", {"environment": "prod"}, "PUT", "release"),
        ("/verdict", None, "GET", "release"),
        ("/ready?environment=a/b", None, "GET", "environment"),
        ("?limit=0", None, "GET", "limit"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    face: WebFace, path: str, body: object, method: str, field: str
) -> None:
    """With the field that is wrong."""
    assert ask(face, path, body, method=method, status=400)["field"] == field


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        ("", PLAIN, "POST"),
        ("/marks", {"release": "v1", "mark": "bad"}, "POST"),
        ("/stable", {"release": "v1"}, "PUT"),
    ],
)
def test_who_may_only_read_changes_nothing(face: WebFace, path: str, body: object, method: str) -> None:
    """Reading is enough to ask."""
    ask(face, path, body, method=method, token="reader", status=403)
    for asked in ("", "/verdict?release=v1", "/ready", "/log"):
        ask(face, asked, token="reader")
