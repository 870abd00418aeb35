"""`GET /api/v1/why`: every rule with what it decided or by which matcher it is not about it, and what followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.redis import Redis
from testbed.web_face import CANARY, RULES, WebFace, web_face

from controller.ledger import Heard, HeardAlert, Hold, Ledger, NewRollback, Taken
from controller.ledger.decisions import Decided
from controller.ledger.roster import Look
from rules.decisions import Decision, Outcome, Reason
from rules.judgement import Judgement

WEB2 = "hosts/default/shop/web2"
SECOND = """
  - name: latency
    when: {matchers: ['alertname="HighLatency"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}, service: shop}
    to: [previous]
"""


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        (tmp_path / "rules.yaml").write_text(RULES + SECOND)
        assert built.house.refresh()
        yield built


def hear(ledger: Ledger, fingerprint: str, *digests: str, firing: bool = True) -> None:
    alert = HeardAlert(fingerprint, firing, 1_000, orjson.dumps(CANARY).decode(), "{}", digests)
    ledger.hear(Heard.of([alert]))


def decide(ledger: Ledger, redis_server: Redis, fingerprint: str, digest: str, decision: Decision) -> None:
    """Decide the pair as a worker does."""
    with redis_server.client() as client:
        (name,) = client.keys("rc:notification:n*")
    ident = str(name if isinstance(name, str) else name.decode()).removeprefix("rc:notification:")
    taken = ledger.leases.take(ident, holder="job:1", kind="notification")
    assert isinstance(taken, Taken)
    ledger.decisions.record(ident, taken.token, [Decided(fingerprint, digest, "canary-errors", decision)])


def judged(outcome: Outcome, reason: Reason) -> Decision:
    judgement = Judgement(WEB2, outcome, reason, "because", to="v1.2.0")
    return Decision(outcome, reason, "because", {WEB2: "v1.2.0"}, (judgement,))


def ask(face: WebFace, path: str = "why") -> dict[str, Any]:
    answer = face.ask(f"/api/v1/{path}", "reader")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json  # type: ignore[assignment]
    return found


def test_every_rule_is_told_for_an_alert(face: WebFace, redis_server: Redis) -> None:
    """What it decided with everything that was asked, or by which matcher it is not about it."""
    digest = face.house.rules.rules[0].digest
    hear(face.ledger, "aa", digest)
    decide(face.ledger, redis_server, "aa", digest, judged(Outcome.HOLD, Reason.COOLDOWN))
    answer = ask(face, "why/aa")
    (alert,) = answer["alerts"]
    canary, latency = alert["rules"]
    assert answer["about"] == {"kind": "alert", "id": "aa"}
    assert (alert["labels"], alert["episode"]["open"]) == (CANARY, True)
    assert (canary["rule"], canary["matched"], canary["decision"]["reason"]) == ("canary-errors", True, "cooldown")
    (judgement,) = canary["decision"]["judgements"]
    assert (judgement["instance"], judgement["outcome"], judgement["guards"]) == (WEB2, "hold", [])
    assert (latency["matched"], latency["decision"]) == (False, None)
    assert latency["mismatch"] == 'alertname="HighLatency" does not hold: alertname is "HighErrorRate"'


def test_a_rule_that_changed_since_is_told_as_it_was(face: WebFace, redis_server: Redis) -> None:
    """Its decision stands under another digest."""
    hear(face.ledger, "aa", "old-digest")
    decide(face.ledger, redis_server, "aa", "old-digest", judged(Outcome.REFUSE, Reason.PREDATES_RELEASE))
    (alert,) = ask(face, "why/aa")["alerts"]
    told = [(rule["rule"], rule["in_force"], rule["decision"] is not None) for rule in alert["rules"]]
    assert told == [("canary-errors", True, False), ("latency", True, False), ("canary-errors", False, True)]


def test_where_a_rule_watched_it_is_told_how_it_went_on(face: WebFace, redis_server: Redis) -> None:
    """Whether the trouble ended without it, and which releases came meanwhile."""
    digest = face.house.rules.rules[0].digest
    hear(face.ledger, "aa", digest)
    decide(face.ledger, redis_server, "aa", digest, judged(Outcome.OBSERVE, Reason.OBSERVE_MODE))
    followed = ask(face, "why/aa")["alerts"][0]["rules"][0]["followed"]
    assert followed == {"ended_at": None, "after_s": None, "arrivals": []}
    for release in ("v1.3.0", "v1.3.1"):
        face.ledger.roster.seen([Look(WEB2, "shop", "", "default", (release,), f"pin-{release}")])
    hear(face.ledger, "aa", digest, firing=False)
    followed = ask(face, "why/aa")["alerts"][0]["rules"][0]["followed"]
    assert followed["ended_at"] is not None
    assert followed["after_s"] >= 0
    assert {(one["instance"], one["release"], one["by"]) for one in followed["arrivals"]} >= {
        (WEB2, "v1.3.1", "deploy")
    }


def test_a_rollback_tells_what_was_judged_on_its_way(face: WebFace, ledger: Ledger) -> None:
    """From its journal, with the times, and what was set aside by name."""
    new = NewRollback(WEB2, "shop", "web2", by="ann", spec={"to": ["previous"], "overridden": ["cooldown"]})
    ident = ledger.rollbacks.open(new, ring=False).id
    taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(ident, taken.lease, taken.token)
    judgement = {"instance": WEB2, "outcome": "refuse", "reason": "deploy-locked", "detail": "ci deploys shop"}
    ledger.rollbacks.note(hold, "", {"kind": "judged", "at": taken.now_ms, "judgement": judgement})
    (told,) = ask(face, f"why/{ident}")["rollbacks"]
    assert (told["id"], told["overridden"]) == (ident, ["cooldown"])
    assert [(one["kind"], one["judgement"]) for one in told["judged"]] == [("judged", judgement)]
    assert ask(face)["about"] == {"kind": "rollback", "id": ident}


def test_a_service_tells_of_its_newest_alerts_and_rollbacks(face: WebFace, redis_server: Redis) -> None:
    """Found by the instances that were concerned."""
    digest = face.house.rules.rules[0].digest
    hear(face.ledger, "aa", digest)
    decide(face.ledger, redis_server, "aa", digest, judged(Outcome.HOLD, Reason.COOLDOWN))
    answer = ask(face, "why/shop")
    assert answer["about"] == {"kind": "service", "id": "shop"}
    assert [alert["fingerprint"] for alert in answer["alerts"]] == ["aa"]
    assert ask(face)["about"] == {"kind": "alert", "id": "aa"}


def test_a_quiet_service_is_no_unknown_one(face: WebFace) -> None:
    """What nobody knows is 404, with where to look; nothing at all is too."""
    assert ask(face, "why/shop") == {"about": {"kind": "service", "id": "shop"}, "alerts": [], "rollbacks": []}
    unknown = face.ask("/api/v1/why/shpo", "reader")
    assert (unknown.status_code, "nothing is known of 'shpo'" in unknown.text) == (404, True)
    nothing = face.ask("/api/v1/why", "reader")
    assert (nothing.status_code, "nothing was decided yet" in nothing.text) == (404, True)
    assert face.ask("/api/v1/why/shop", "alertmanager").status_code == 403


@pytest.mark.parametrize("what", ["..", "a" * 500, "%00", "%0a", "é", "r1%2Fx"])
def test_strange_words_are_404(face: WebFace, what: str) -> None:
    """Whatever they look like."""
    assert face.ask(f"/api/v1/why/{what}", "reader").status_code == 404
