"""A body is read or refused as a whole; what is wrong with single alerts is another matter."""

from __future__ import annotations

import json

import pytest

from rules.notifications import BadBody, Notification, parse_notification

ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate"},
    "annotations": {},
    "startsAt": "2026-01-22T11:47:17.113Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph",
    "fingerprint": "c4b3a29100000001",
}


def parse(**fields: object) -> Notification:
    return parse_notification(json.dumps({"version": "4", "alerts": [ALERT], **fields}).encode())


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"not json", "body"),
        (b'{"version": "4", "alerts": [', "body"),
        (b"\xff\xfe", "body"),
        (b"\xef\xbb\xbf{}", "body"),
        (b"[" * 100_000, "body"),
        (b'{"a":' * 100_000, "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'"4"', "body"),
        (b"4", "body"),
        (b'{"version": "4", "alerts": [NaN]}', "body"),
        (b'{"version": "4", "alerts": [-Infinity]}', "body"),
        (b'{"version": "4", "alerts": [1e999]}', "body"),
        (b'{"version": "4", "alerts": ["\\ud800"]}', "body"),
        (b"{}", "version"),
        (b'{"alerts": []}', "version"),
        (b'{"version": "3", "alerts": []}', "version"),
        (b'{"version": 4, "alerts": []}', "version"),
        (b'{"version": ["4"], "alerts": []}', "version"),
        (b'{"version": "4"}', "alerts"),
        (b'{"version": "4", "alerts": null}', "alerts"),
        (b'{"version": "4", "alerts": {}}', "alerts"),
        (b'{"version": "4", "alerts": "many"}', "alerts"),
    ],
)
def test_a_body_that_can_never_succeed_is_refused_naming_the_field(body: bytes, field: str) -> None:
    """Not JSON, not version 4, or no list of alerts."""
    with pytest.raises(BadBody) as refused:
        parse_notification(body)
    assert refused.value.field == field
    assert len(str(refused.value)) < 300


def test_a_notification_without_alerts_is_read() -> None:
    """Alertmanager never sends one, but nothing is wrong with it."""
    assert parse(alerts=[]).alerts == ()


def test_fields_of_older_and_newer_alertmanagers_are_tolerated() -> None:
    """0.25 has neither; 0.32 brought notification_reason, 0.34 routeLabels; a later one something else."""
    newer = parse(notification_reason="new alerts added", routeLabels={"team": "web"}, surprise=[{"deep": [1]}])
    assert newer == parse()


def test_the_receivers_name_loses_the_escapes_that_alertmanager_adds() -> None:
    """Trap 10: a dot in the name arrives with a backslash before it."""
    for sent, name in (("a\\.b", "a.b"), ("web", "web"), ("a\\\\b\\(c\\)\\$", "a\\b(c)$"), (None, ""), (7, "")):
        assert parse(receiver=sent).receiver == name


def test_truncated_alerts_are_never_understated() -> None:
    """Trap 17: no guard may use the absence of an alert that was cut off; nonsense counts as one."""
    for sent, truncated in (
        (0, 0),
        (5000, 5000),
        (None, 0),
        (2**63, 2**53),
        (10**30, 1),
        (-1, 1),
        (True, 1),
        ("5000", 1),
        (1.5, 1),
        ([], 1),
    ):
        assert parse(truncatedAlerts=sent).truncated == truncated
    assert parse().truncated == 0


def test_the_last_of_two_equal_keys_is_taken() -> None:
    """As most readers of JSON do; there is nobody to ask."""
    text = json.dumps({"version": "3", "alerts": [ALERT]})[:-1] + ', "version": "4"}'
    assert len(parse_notification(text.encode()).alerts) == 1


def test_the_groups_own_fields_do_not_matter() -> None:
    """Trap 1: the group says firing as soon as one alert does; each alert is judged by its own status."""
    notification = parse(
        status="firing", alerts=[ALERT | {"status": "resolved"}], commonLabels={"track": "canary"}
    )
    assert [alert.firing for alert in notification.alerts] == [False]
    assert "track" not in notification.alerts[0].labels
