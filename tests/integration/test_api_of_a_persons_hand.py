"""The API of a person's hand: pausing, locking, promoting, answering what a rule asks, and taking back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.redis import Redis
from testbed.web_face import WebFace, web_face

from controller.ledger import NewRollback

WEB2 = "hosts/default/shop/web2"


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def opened(face: WebFace, redis_server: Redis, **fields: object) -> str:
    """Open a rule's rollback and put it where the test needs it."""
    new = NewRollback(WEB2, "shop", "web2", rule="canary-errors", rule_digest="d")
    ident = face.ledger.rollbacks.open(new, ring=False).id
    if fields:
        with redis_server.client() as client:
            client.hset(f"rc:rollback:{ident}", mapping={name: str(value) for name, value in fields.items()})
    return ident


DONE: dict[str, Any] = {"state": "verifying", "from": "v1.3.0", "to": "v1.2.0", "changed_at": 1, "committed_at": 1}


def test_rules_are_paused_and_resumed(face: WebFace) -> None:
    """Everywhere or in one scope; what is still paused is said."""
    said = face.ask("/api/v1/pauses", body={"scope": "service shop", "for": "4h", "reason": "sale"})
    assert said.status_code == 201
    assert said.json is not None
    assert (said.json["scope"], said.json["by"], said.json["why"]) == ("service shop", "operator", "sale")
    face.ask("/api/v1/pauses", body={"reason": "network work"})
    listed = face.ask("/api/v1/pauses", "reader").json
    assert listed is not None
    assert [(one["scope"], one["until"] is None) for one in listed["pauses"]] == [
        ("", True),
        ("service shop", False),
    ]
    resumed = face.ask("/api/v1/pauses", method="DELETE", body={}).json
    assert resumed is not None
    assert (resumed["resumed"], [one["scope"] for one in resumed["pauses"]]) == ([""], ["service shop"])
    again = face.ask("/api/v1/pauses", method="DELETE", body={})
    assert (again.status_code, "what is paused: service shop" in again.text) == (404, True)
    everything = face.ask("/api/v1/pauses", method="DELETE", body={"all": True}).json
    assert everything == {"resumed": ["service shop"], "closed": [], "pauses": [], "breakers": []}


@pytest.mark.parametrize(
    ("path", "method", "sent", "status", "field", "says"),
    [
        ("pauses", "POST", {}, 400, "reason", "required"),
        ("pauses", "POST", {"reason": ""}, 400, "reason", "at least 1"),
        ("pauses", "POST", {"reason": "x", "for": "4 hours"}, 400, "for", "write 4h"),
        ("pauses", "POST", {"reason": "x", "for": "0s"}, 400, "for", "between 1s and 90d"),
        ("pauses", "POST", {"reason": "x", "for": "91d"}, 400, "for", "between 1s and 90d"),
        ("pauses", "POST", {"reason": "x", "for": 3600}, 400, "for", "a duration"),
        ("pauses", "POST", {"reason": "x", "scope": "shop"}, 400, "scope", "pattern"),
        ("pauses", "POST", {"reason": "x", "scope": "service shpo"}, 404, "scope", "there is: shop"),
        ("pauses", "POST", {"reason": "x", "scope": "rule canary"}, 404, "scope", "there is: canary-errors"),
        ("pauses", "POST", {"reason": "x", "until": "noon"}, 400, "until", "not permitted"),
        ("locks/shpo", "POST", {}, 404, "scope", "there is: shop"),
        ("locks/shop", "POST", {"ttl": "2s"}, 400, "ttl", "between 5s and 1h"),
        ("locks/shop", "PUT", {}, 400, "token", "required"),
        ("locks/shop", "DELETE", {}, 400, "body", "say either"),
        ("locks/shop", "DELETE", {"token": "x", "force": True}, 400, "body", "say either"),
        ("locks/shop", "DELETE", {"force": True}, 404, "", "nobody holds shop"),
        ("rules/canary/promote", "POST", {}, 404, "scope", "there is: canary-errors"),
        ("rules/canary-errors/promote", "POST", {}, 409, "", "is not demoted"),
        ("deeds?limit=0", "GET", None, 400, "limit", "from 1 to 500"),
        ("rollbacks/nope/approve", "POST", {}, 404, "", "there is no rollback"),
        ("rollbacks/nope/undo", "POST", {}, 404, "", "there is no rollback"),
    ],
)
def test_what_is_not_understood_is_refused_by_field(
    face: WebFace, path: str, method: str, sent: object, status: int, field: str, says: str
) -> None:
    """A misspelt scope above all: a pause that binds nothing would be trusted to bind."""
    token = "approver" if "approve" in path else "operator"
    answer = face.ask(f"/api/v1/{path}", token, method=method, body=sent)
    assert answer.json is not None
    assert answer.status_code == status, answer.text
    assert answer.json.get("field", "") == field
    assert says in answer.json["error"]
    assert face.ask("/api/v1/pauses").json == {"pauses": []}
    assert face.ask("/api/v1/locks").json == {"locks": []}


def test_a_service_is_locked_renewed_and_released(face: WebFace) -> None:
    """The second who asks is told who holds it; the token is told to its holder alone."""
    got = face.ask("/api/v1/locks/shop", body={"reason": "deploy 7", "ttl": "1m"})
    assert (got.status_code, got.json["ttl_s"]) == (201, 60.0)  # type: ignore[index]
    token = got.json["token"]  # type: ignore[index]
    second = face.ask("/api/v1/locks/shop", body={})
    assert second.json is not None
    assert (second.status_code, second.json["by"], second.json["why"]) == (409, "operator", "deploy 7")
    assert "shop is locked by operator (deploy 7) until" in second.json["error"]
    assert token not in second.text + face.ask("/api/v1/locks", "reader").text
    assert face.ask("/api/v1/locks/shop", method="PUT", body={"token": token}).status_code == 200
    assert face.ask("/api/v1/locks/shop", method="PUT", body={"token": "other"}).status_code == 409
    assert face.ask("/api/v1/locks/shop", method="DELETE", body={"token": token}).status_code == 200
    lost = face.ask("/api/v1/locks/shop", method="DELETE", body={"token": token})
    assert (lost.status_code, "Lock it anew" in lost.text) == (409, True)


def test_a_person_takes_a_lock_away(face: WebFace) -> None:
    """From a pipeline that hangs; its next renewal fails."""
    token = face.ask("/api/v1/locks/shop", body={}).json["token"]  # type: ignore[index]
    taken = face.ask("/api/v1/locks/shop", method="DELETE", body={"force": True, "reason": "it hangs"})
    assert taken.json == {"service": "shop", "was_held_by": "operator"}
    assert face.ask("/api/v1/locks/shop", method="PUT", body={"token": token}).status_code == 409


def test_a_demoted_rule_is_promoted(face: WebFace) -> None:
    """Also one that the rule file has no more: it must not stay on the list for ever."""
    face.ledger.hands.demote("canary-errors", "ineffective", "r1")
    face.ledger.hands.demote("gone", "ineffective", "r2")
    for name in ("canary-errors", "gone"):
        assert face.ask(f"/api/v1/rules/{name}/promote", body={"reason": "mended"}).status_code == 200
    assert face.ledger.hands.demotions() == {}


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("GET", "pauses", "read"),
        ("POST", "pauses", "operate"),
        ("DELETE", "pauses", "operate"),
        ("GET", "locks", "read"),
        ("POST", "locks/shop", "operate"),
        ("PUT", "locks/shop", "operate"),
        ("DELETE", "locks/shop", "operate"),
        ("POST", "rules/canary-errors/promote", "operate"),
        ("GET", "deeds", "read"),
        ("POST", "rollbacks/r1/approve", "approve"),
        ("POST", "rollbacks/r1/deny", "approve"),
        ("POST", "rollbacks/r1/undo", "operate"),
    ],
)
def test_every_deed_needs_its_role(face: WebFace, method: str, path: str, least: str) -> None:
    """Whoever may operate does not by that approve; Alertmanager's token does none of it."""
    may = {"read": {"reader", "operator"}, "operate": {"operator"}, "approve": {"approver"}}[least]
    for token in ("alertmanager", "reader", "operator", "approver"):
        status = face.ask(f"/api/v1/{path}", token, method=method, body={}).status_code
        assert (status != 403) is (token in may), (token, status)
    assert face.ask(f"/api/v1/{path}", None, method=method, body={}).status_code == 401


ASKED = orjson.dumps({"plan": "digest-of-the-plan", "from": "v1.3.0", "to": "v1.2.0", "until_ms": 9e12}).decode()


def test_what_a_rule_asks_is_approved(face: WebFace, redis_server: Redis) -> None:
    """Once; the record says by whom, and so does the audit."""
    ident = opened(face, redis_server, state="waiting", reason="ask-mode", asked=ASKED)
    said = face.ask(f"/api/v1/rollbacks/{ident}/approve", "approver", body={"reason": "looks right"})
    assert (said.status_code, said.json["approved_by"]) == (200, "approver")  # type: ignore[index]
    (deed,) = face.ledger.hands.deeds()
    assert (deed.by, deed.what, deed.about, deed.why) == ("approver", "approve", ident, "looks right")


def test_what_a_rule_asks_is_denied(face: WebFace, redis_server: Redis) -> None:
    """With a reason, without which it is not taken; nothing is changed."""
    ident = opened(face, redis_server, state="waiting", reason="ask-mode", asked=ASKED)
    assert face.ask(f"/api/v1/rollbacks/{ident}/deny", "approver", body={}).status_code == 400
    said = face.ask(f"/api/v1/rollbacks/{ident}/deny", "approver", body={"reason": "it is the database"})
    assert said.json is not None
    assert (said.json["outcome"], said.json["reason"]) == ("refused", "denied")
    assert said.json["detail"] == "denied by approver: it is the database"


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_what_asks_nothing_takes_no_answer(face: WebFace, redis_server: Redis, verb: str) -> None:
    """And the answer says where the questions are."""
    ident = opened(face, redis_server)
    said = face.ask(f"/api/v1/rollbacks/{ident}/{verb}", "approver", body={"reason": "x"})
    assert (said.status_code, "rollbackctl status" in said.text) == (409, True)
    assert face.ledger.hands.deeds() == ()


def test_a_rollback_is_taken_back(face: WebFace, redis_server: Redis) -> None:
    """By a rollback of a person's own, by name, which expects what the first one left there."""
    first = opened(face, redis_server, **DONE)
    said = face.ask(f"/api/v1/rollbacks/{first}/undo", body={"reason": "it was the network"})
    assert said.status_code == 202, said.text
    assert said.json is not None
    assert (said.json["undoes"], said.json["from"], said.json["to"]) == (first, "v1.2.0", "v1.3.0")
    ended = face.ledger.rollbacks.get(first)
    second = face.ledger.rollbacks.get(said.json["id"])
    assert ended is not None
    assert second is not None
    assert (ended.state, ended.outcome, ended.detail) == (
        "ended",
        "cancelled",
        "undone by operator: it was the network",
    )
    assert (second.by, second.rule, second.why) == ("operator", "", f"undoes {first}: it was the network")
    assert second.spec["to"] == [{"version": "v1.3.0"}]
    assert (second.spec["override"], second.spec["expects"]) == (True, "v1.2.0")
    assert {"cooldown", "known-bad"} <= set(second.spec["overridden"])
    assert face.ledger.hands.demotions() == {}
    assert face.ask(f"/api/v1/rollbacks/{first}/undo", body={}).json["id"] == second.id  # type: ignore[index]


def test_a_false_alarm_demotes_the_rule(face: WebFace, redis_server: Redis) -> None:
    """It asks until a person promotes it."""
    first = opened(face, redis_server, **DONE, outcome="")
    said = face.ask(f"/api/v1/rollbacks/{first}/undo", body={"false_alarm": True, "reason": "a probe"})
    assert said.json is not None
    assert said.json["demoted"] == "canary-errors"
    found = face.ledger.hands.demotions()["canary-errors"]
    assert (found.why, found.rollback) == (f"operator called {first} a false alarm: a probe", first)
    assert [(deed.what, deed.about) for deed in face.ledger.hands.deeds()] == [
        ("undo (false alarm)", first),
        ("demote", "canary-errors"),
    ]


PODS_GONE = orjson.dumps(
    {"steps": [{"kind": "patch", "values": {"replicas": 0, "was": {"spec": {"replicas": 3}}}}]}
).decode()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "rollbackctl cancel"),
        ({"state": "acting"}, "is under way (acting)"),
        ({"state": "ended", "outcome": "refused"}, "changed nothing (refused)"),
        ({**DONE, "state": "held", "changed_at": ""}, "changed nothing (held)"),
        ({**DONE, "from": ""}, "nothing ran on"),
        (
            {**DONE, "plan": PODS_GONE, "instance": "kubernetes/eu/shop/deployment/web"},
            "kubectl scale deployment/web -n shop --replicas=3",
        ),
    ],
)
def test_what_cannot_be_undone_says_what_to_do(
    face: WebFace, redis_server: Redis, fields: dict[str, object], says: str
) -> None:
    """Nothing is opened and nothing ends."""
    ident = opened(face, redis_server, **fields)
    said = face.ask(f"/api/v1/rollbacks/{ident}/undo", body={})
    assert (said.status_code, says in said.text) == (409, True), said.text
    assert len(face.ledger.rollbacks.list()) == 1
    assert face.ledger.hands.deeds() == ()


def test_a_worker_at_it_is_not_disturbed(face: WebFace, redis_server: Redis) -> None:
    """An undo waits for the look that is under way."""
    ident = opened(face, redis_server, **DONE)
    with redis_server.client() as client:
        client.set(f"rc:lease:{WEB2}", "job-1:nonce:7", px=60_000)
    said = face.ask(f"/api/v1/rollbacks/{ident}/undo", body={})
    assert (said.status_code, "try again" in said.text) == (409, True)


def test_a_newer_rollback_is_not_mistaken_for_the_undo(face: WebFace, redis_server: Redis) -> None:
    """What the instance has by now is named."""
    first = opened(face, redis_server, **DONE)
    face.ledger.rollbacks.cancel(first, by="x", why="", undone=True)
    other = opened(face, redis_server)
    said = face.ask(f"/api/v1/rollbacks/{first}/undo", body={"false_alarm": True})
    assert (said.status_code, other in said.text) == (409, True)
    assert face.ledger.hands.demotions() == {}
