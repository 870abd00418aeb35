"""What Alertmanager is answered: 2xx only for what is durable, 5xx for later, 4xx for never."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.redis import Redis
from testbed.web_face import CANARY, WebFace, web_face


@pytest.fixture
def face(tmp_path: Path, redis_server: Redis) -> Iterator[WebFace]:
    with web_face(tmp_path, redis_server.url) as built:
        yield built


def test_an_alert_that_a_rule_wants_is_accepted_once_it_is_durable(face: WebFace, redis_server: Redis) -> None:
    """202 means: the episode is in the ledger, and a doorbell has rung for it."""
    answer = face.notify(body(alert(CANARY)))
    assert (answer.status_code, answer.json) == (202, {"accepted": 1, "known": 0, "ignored": 0, "bad": []})
    with redis_server.client() as client:
        assert client.exists(f"rc:episode:{alert(CANARY)['fingerprint']}")
        assert client.llen("rq:queue:rollback") >= 1


def test_the_same_body_again_is_known(face: WebFace, redis_server: Redis) -> None:
    """Trap 2: repeats, HA duplicates and retries ring nothing."""
    sent = body(alert(CANARY))
    face.notify(sent)
    with redis_server.client() as client:
        rung = client.llen("rq:queue:rollback")
        again = face.notify(sent)
        assert (again.status_code, again.json) == (202, {"accepted": 0, "known": 1, "ignored": 0, "bad": []})
        assert client.llen("rq:queue:rollback") == rung


def test_an_alert_that_no_rule_wants_is_ignored(face: WebFace) -> None:
    """200 and nothing remembered: there is nothing to do."""
    answer = face.notify(body(alert({"alertname": "Other"})))
    assert (answer.status_code, answer.json) == (200, {"accepted": 0, "known": 0, "ignored": 1, "bad": []})


def test_each_alert_is_matched_by_its_own_labels_and_status(face: WebFace, redis_server: Redis) -> None:
    """Traps 1 and 8: neither commonLabels nor the group's status stand in for an alert's own."""
    resolved = alert(CANARY | {"instance": "a"}, status="resolved")
    other = alert({"alertname": "HighErrorRate", "instance": "b"})
    common = {"severity": "critical", "track": "canary"}
    answer = face.notify(body(resolved, other, alert(CANARY), status="firing", commonLabels=common))
    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["ignored"] == 1
    with redis_server.client() as client:
        (notification,) = client.keys("rc:notification:*")
        asked = [name for name in client.hkeys(notification) if not name.startswith("#")]
    assert [pair.split()[0] for pair in asked] == [alert(CANARY)["fingerprint"]]


def test_a_resolve_closes_its_episode_though_the_rules_changed_meanwhile(
    face: WebFace, redis_server: Redis
) -> None:
    """The episode was opened under rules that are gone; it must not stay open for ever."""
    face.notify(body(alert(CANARY)))
    (face.folder / "rules.yaml").write_text(
        (face.folder / "rules.yaml").read_text().replace('alertname="HighErrorRate"', 'alertname="SomethingElse"')
    )
    assert face.house.refresh()
    answer = face.notify(body(alert(CANARY, status="resolved")))
    assert answer.status_code == 202
    with redis_server.client() as client:
        assert client.hget(f"rc:episode:{alert(CANARY)['fingerprint']}", "closed") != ""


def test_changed_rules_apply_to_a_body_that_was_seen_before(face: WebFace) -> None:
    """What is remembered of a body holds only under the rules that led there."""
    sent = body(alert({"alertname": "SomethingElse", "severity": "critical"}))
    assert face.notify(sent).json["ignored"] == 1  # type: ignore[index]
    (face.folder / "rules.yaml").write_text(
        (face.folder / "rules.yaml").read_text().replace('alertname="HighErrorRate"', 'alertname="SomethingElse"')
    )
    assert face.house.refresh()
    assert face.notify(sent).json["accepted"] == 1  # type: ignore[index]


def test_one_bad_alert_is_listed_and_its_neighbours_proceed(face: WebFace) -> None:
    """The answer names its index and what is wrong with it."""
    answer = face.notify(body(alert({"a": "1"}) | {"startsAt": "yesterday"}, alert(CANARY)))
    assert answer.status_code == 202
    assert answer.json is not None
    assert answer.json["accepted"] == 1
    assert [bad["index"] for bad in answer.json["bad"]] == [0]
    assert "yesterday" in answer.json["bad"][0]["problem"]


def test_a_body_without_a_single_readable_alert_is_400(face: WebFace) -> None:
    """It can never succeed, and a 2xx would hide that from whoever watches Alertmanager."""
    answer = face.notify(body({"status": "firing"}))
    assert (answer.status_code, answer.json["field"]) == (400, "alerts[0]")  # type: ignore[index]


def test_what_can_never_succeed_is_400_and_names_the_field(face: WebFace) -> None:
    """Alertmanager repeats none of these at once."""
    for sent, field in (
        (b"", "body"),
        (b"not json", "body"),
        ({"version": "3", "alerts": []}, "version"),
        ({"version": "4"}, "alerts"),
    ):
        answer = face.notify(sent)
        assert (answer.status_code, answer.json["field"]) == (400, field)  # type: ignore[index]


def test_a_body_that_is_too_large_is_413(tmp_path: Path, redis_server: Redis) -> None:
    """Announced or not; the answer says which setting it is."""
    with web_face(tmp_path, redis_server.url, body_max=10_000) as face:
        announced = face.notify(b" " * 10_001)
        assert (announced.status_code, announced.json["field"]) == (413, "body")  # type: ignore[index]
        assert "body_max" in announced.json["error"]  # type: ignore[index]
        fits = body(alert(CANARY))
        assert face.notify(fits).status_code == 202


def test_a_compressed_body_is_415(face: WebFace) -> None:
    """Alertmanager never sends one; taking it for broken JSON would send a person the wrong way."""
    answer = face.notify(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_the_content_type_does_not_matter(face: WebFace) -> None:
    """Bodies are judged by what is in them."""
    assert face.notify(body(alert(CANARY)), headers={"Content-Type": "text/plain"}).status_code == 202


def test_a_start_two_minutes_ahead_is_accepted(face: WebFace) -> None:
    """Trap 7: clocks differ; what to make of it is a guard's business."""
    assert face.notify(body(alert(CANARY, starts_at=stamp(120)))).status_code == 202


def test_nothing_recorded_is_503_and_the_retry_is_accepted_in_full(face: WebFace, redis_server: Redis) -> None:
    """Trap 3: Redis away means later, never a duplicate; 503 is what Alertmanager repeats at once."""
    sent = body(alert(CANARY), alert(CANARY | {"instance": "web1"}))
    redis_server.stop()
    try:
        away = face.notify(sent)
    finally:
        redis_server.start()
    assert (away.status_code, away.headers["Retry-After"]) == (503, "1")
    again = face.notify(sent)
    assert (again.status_code, again.json["accepted"]) == (202, 2)  # type: ignore[index]


def test_a_bug_is_503_logged_and_counted(face: WebFace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never 500: the alert is not lost, and the traceback is in the log."""

    def broken(_heard: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(face.ledger, "hear", broken)
    answer = face.notify(body(alert(CANARY)))
    assert answer.status_code == 503
    assert face.metric("http_unexpected_errors_total") == 1


def test_what_became_of_alerts_is_counted(face: WebFace) -> None:
    """Trap 17 among them: what Alertmanager cut off is counted and said."""
    sent = body(alert(CANARY), alert({"a": "b"}), {"status": "x"}, truncatedAlerts=5000)
    face.notify(sent)
    face.notify(sent)
    face.notify(b"not json")
    counted = {name: face.metric("alerts_total", result=name) for name in ("accepted", "known", "ignored", "bad")}
    assert counted == {"accepted": 1, "known": 1, "ignored": 2, "bad": 2}
    assert face.metric("alerts_truncated_total") == 10_000
    assert [face.metric("notifications_total", code=code) for code in ("202", "400")] == [2, 1]
    assert face.metric("notification_size_bytes_count") == 3


def test_refused_bodies_are_counted_each_and_logged_once(face: WebFace, capfd: pytest.CaptureFixture[str]) -> None:
    """Trap 16: a poisoned body comes back every group_interval; it must not fill the log."""
    for _ in range(50):
        face.notify(b"not json")
    assert face.metric("notifications_total", code="400") == 50
    said = capfd.readouterr()
    assert (said.out + said.err).count("notification.refused") == 1
