"""The JSON API: rollbacks by hand, what is known about them, and errors that say what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testbed.redis import Redis
from testbed.wait import until
from testbed.web_face import WebFace, web_face

from controller.ledger import Ledger, NewRollback
from controller.web import planning

WEB1, WEB2 = "hosts/default/shop/web1", "hosts/default/shop/web2"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def open_one(face: WebFace, **over: object) -> dict[str, Any]:
    answer = face.ask("/api/v1/rollbacks", body={"service": "shop", "instances": ["web2"], **over})
    assert answer.status_code == 202, answer.text
    opened: dict[str, Any] = answer.json["rollbacks"][0]  # type: ignore[index]
    return opened


@pytest.mark.parametrize(
    ("selection", "instances"),
    [
        ({"instances": ["web2"]}, [WEB2]),
        ({"instances": [WEB2, "web2"]}, [WEB2]),
        ({"instances": ["web2", "web1"]}, [WEB2, WEB1]),
        ({"only": {"track": "canary"}}, [WEB2]),
        ({"only": {"track": ["canary", "stable"]}}, [WEB1, WEB2]),
        ({"all": True}, [WEB1, WEB2]),
    ],
)
def test_a_person_says_which_instances_go_back(
    face: WebFace, selection: dict[str, object], instances: list[str]
) -> None:
    """By name or identity, by labels of the inventory, or all; each gets a rollback of its own."""
    answer = face.ask("/api/v1/rollbacks", body={"service": "shop", **selection})
    assert answer.status_code == 202
    opened = answer.json["rollbacks"]  # type: ignore[index]
    assert [(rollback["instance"], rollback["joined"]) for rollback in opened] == [(i, False) for i in instances]


def test_an_instance_has_one_unfinished_rollback(face: WebFace) -> None:
    """Asking again joins the one that is there."""
    first, second = open_one(face), open_one(face)
    assert (second["id"], second["joined"]) == (first["id"], True)


def test_a_person_comes_before_what_a_rule_has_not_begun(face: WebFace) -> None:
    """Whatever holds the rule's rollback back, it gives way; what has begun is joined."""
    held = face.ledger.rollbacks.open(NewRollback(WEB2, "shop", "web2", rule="canary-errors", rule_digest="d1"))
    mine = open_one(face)
    assert mine["joined"] is False
    gone = face.ledger.rollbacks.get(held.id)
    assert gone is not None
    assert (gone.outcome, gone.detail.partition(":")[0]) == ("cancelled", "cancelled by operator")


def test_the_record_says_who_asked_and_why(face: WebFace) -> None:
    """The name is the token's, never the request's."""
    ident = open_one(face, reason="checkout fails", to=[{"version": "v1.2.0"}, "previous"])["id"]
    shown = face.ask(f"/api/v1/rollbacks/{ident}", "reader").json
    assert shown is not None
    assert (shown["by"], shown["why"], shown["state"]) == ("operator", "checkout fails", "planned")
    assert (shown["service"], shown["host"], shown["journal"], shown["decisions"]) == ("shop", "web2", [], [])
    record = face.ledger.rollbacks.get(ident)
    assert record is not None
    assert record.spec == {"to": [{"version": "v1.2.0"}, "previous"], "override": True}


@pytest.mark.parametrize(
    ("sent", "status", "field", "says"),
    [
        ({}, 400, "service", "required"),
        ({"service": "shop"}, 400, "body", "exactly one"),
        ({"service": "shop", "all": True, "instances": ["web1"]}, 400, "body", "exactly one"),
        ({"service": "shop", "all": "yes"}, 400, "all", "boolean"),
        ({"service": "shop", "instances": []}, 400, "instances", "at least 1"),
        ({"service": "shop", "all": True, "surprise": 1}, 400, "surprise", "not permitted"),
        ({"service": "shop", "all": True, "to": ["newest"]}, 400, "to.0", "previous"),
        ({"service": "shop", "all": True, "to": []}, 400, "to", "at least 1"),
        ({"service": "shop", "all": True, "reason": "x" * 1001}, 400, "reason", "1000"),
        ({"service": "shop", "only": {}}, 400, "only", "at least 1"),
        ({"service": "shpo", "all": True}, 404, "service", "it has: shop"),
        ({"service": "shop", "instances": ["web9"]}, 422, "instances", "web1, web2"),
        ({"service": "shop", "instances": ["hosts/default/other/web1"]}, 422, "instances", "web1, web2"),
        ({"service": "shop", "only": {"track": "beta"}}, 422, "only", "web2 (track=canary)"),
    ],
)
def test_what_is_not_understood_is_refused_by_field(
    face: WebFace, sent: dict[str, object], status: int, field: str, says: str
) -> None:
    """Nothing is opened, and the sentence names what there is instead."""
    answer = face.ask("/api/v1/rollbacks", body=sent)
    assert answer.json is not None
    assert answer.status_code == status, answer.text
    assert answer.json["field"].startswith(field)
    assert says in answer.json["error"]
    assert face.ask("/api/v1/rollbacks").json["rollbacks"] == []


def test_rollbacks_are_listed_newest_first_by_state_and_service(face: WebFace) -> None:
    """And in pages of a bounded size."""
    face.ask("/api/v1/rollbacks", body={"service": "shop", "instances": ["web1"]})
    face.ask("/api/v1/rollbacks", body={"service": "shop", "instances": ["web2"]})

    def hosts(query: str) -> list[str]:
        return [found["host"] for found in face.ask(f"/api/v1/rollbacks?{query}").json["rollbacks"]]  # type: ignore[index]

    assert sorted(hosts("")) == ["web1", "web2"]
    assert len(hosts("limit=1")) == 1
    assert sorted(hosts("state=planned,acting&service=shop")) == ["web1", "web2"]
    assert hosts("state=ended") == []
    assert hosts("service=other") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rollbacks?limit=0", "limit"),
        ("rollbacks?limit=501", "limit"),
        ("rollbacks?limit=-1", "limit"),
        ("rollbacks?limit=ten", "limit"),
        ("rollbacks?limit=²", "limit"),
        ("rollbacks?state=running", "state"),
        ("decisions?limit=0", "limit"),
        ("decisions?fingerprint=XYZ", "fingerprint"),
    ],
)
def test_a_query_that_is_not_understood_is_400(face: WebFace, query: str, field: str) -> None:
    """Page sizes are bounded, states are from the list."""
    answer = face.ask(f"/api/v1/{query}")
    assert (answer.status_code, answer.json["field"]) == (400, field)  # type: ignore[index]


@pytest.mark.parametrize("ident", ["r0000000000", "x", "..", "a" * 200, "r1%00", "r1%20r2"])
def test_an_unknown_rollback_is_404(face: WebFace, ident: str) -> None:
    """Whatever the id looks like."""
    assert face.ask(f"/api/v1/rollbacks/{ident}").status_code == 404
    assert face.ask(f"/api/v1/rollbacks/{ident}/cancel", body={}).status_code == 404


def test_before_the_first_change_a_rollback_can_be_cancelled(face: WebFace) -> None:
    """Once: the second time it is over, and the answer is 409."""
    ident = open_one(face)["id"]
    cancelled = face.ask(f"/api/v1/rollbacks/{ident}/cancel", body={"reason": "wrong one"})
    assert cancelled.json is not None
    assert (cancelled.status_code, cancelled.json["outcome"]) == (200, "cancelled")
    assert cancelled.json["detail"] == "cancelled by operator: wrong one"
    assert face.ask(f"/api/v1/rollbacks/{ident}/cancel", body={}).status_code == 409


def test_a_dry_run_is_answered_by_a_worker_and_opens_nothing(face: WebFace, ledger: Ledger) -> None:
    """One question for each instance; a plan or a refusal comes back."""

    def work() -> None:
        for _ in range(2):
            bell = until(_asked, within_s=10, what="a question is asked")
            question = ledger.asking.question(bell)
            assert question is not None
            (instance,) = question["instances"]
            ledger.asking.answer(bell, {"plans": [{"instance": instance, "plan": {"to_release": "v1.2.0"}}]})

    seen: set[str] = set()

    def _asked() -> str | None:
        with face.ledger._client.client() as client:
            for key in client.keys("rc:ask:*"):
                if key not in seen:
                    seen.add(key)
                    return str(key).removeprefix("rc:ask:")
        return None

    worker = threading.Thread(target=work)
    worker.start()
    answer = face.ask("/api/v1/rollbacks", body={"service": "shop", "all": True, "dry_run": True})
    worker.join()
    assert (answer.status_code, answer.json) == (
        200,
        {
            "plans": [
                {"instance": WEB1, "plan": {"to_release": "v1.2.0"}},
                {"instance": WEB2, "plan": {"to_release": "v1.2.0"}},
            ]
        },
    )
    assert face.ask("/api/v1/rollbacks").json["rollbacks"] == []


def test_a_plan_that_no_worker_makes_in_time_says_so(face: WebFace) -> None:
    """With what to do: a worker must run."""
    asked = planning.Planning(face.ledger, within_s=0.1).plans([WEB2], {"to": ["previous"]})
    assert asked[0]["refusal"]["reason"] == "deadline"
    assert "rollbackctl worker" in asked[0]["refusal"]["detail"]


@pytest.mark.parametrize(
    "ident", ["web2", *(f"hosts/{other}" for other in ("default/shop/web9", "default/shpo/web2", "x/shop/web2"))]
)
def test_plans_are_asked_for_by_identity(face: WebFace, ident: str) -> None:
    """What the inventory does not have is refused before any worker is asked."""
    assert face.ask("/api/v1/plans", "reader", body={"instances": [ident]}).status_code in {404, 422}


def test_the_status_shows_everything_on_one_screen(face: WebFace) -> None:
    """Rules, services, what waits, what is unfinished, and what is wrong with Redis."""
    open_one(face)
    shown = face.ask("/api/v1/status", "reader").json
    assert shown is not None
    assert shown["rules"]["names"] == ["canary-errors"]
    assert shown["services"] == {"shop": ["web1", "web2"]}
    assert shown["unfinished"] == {"planned": 1}
    assert (shown["due"], shown["queued"] >= 1) == (1, True)
    assert [rollback["host"] for rollback in shown["rollbacks"]] == ["web2"]
    assert any("no worker" in complaint for complaint in shown["complaints"])


def test_errors_are_json_everywhere(face: WebFace) -> None:
    """A path that is not there and a method that is not allowed, too."""
    missing = face.ask("/api/v1/nothing")
    assert (missing.status_code, missing.is_json) == (404, True)
    assert missing.json == {
        "error": "there is nothing at /api/v1/nothing: docs/reference/http.md lists what is; "
        "alerts go to /api/v1/alertmanager"
    }
    assert face.metric("http_request_duration_seconds_count", endpoint="none") == 1
    wrong = face.ask("/api/v1/alertmanager", method="GET")
    assert (wrong.status_code, wrong.is_json) == (405, True)
    assert "POST" in wrong.headers["Allow"]
