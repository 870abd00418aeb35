"""Each alert of a body is read alone: a bad one is named, and its neighbours proceed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules.alerts import Alert
from rules.notifications import BAD_ALERTS_LISTED, BadAlert, Notification, parse_notification

GOOD: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "instance": "[2001:db8::1]:9100"},
    "annotations": {"summary": "errors"},
    "startsAt": "2026-01-22T11:47:17.113904445+08:00",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus:9090/graph",
    "fingerprint": "c4b3a29100000001",
}


def parse(*alerts: object) -> Notification:
    return parse_notification(json.dumps({"version": "4", "alerts": alerts}).encode())


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


def test_an_alert_is_read_as_it_is() -> None:
    """Labels are data, whatever is in them; the time is in milliseconds, UTC."""
    assert parse(GOOD).alerts == (
        Alert(
            fingerprint="c4b3a29100000001",
            status="firing",
            labels={"alertname": "HighErrorRate", "instance": "[2001:db8::1]:9100"},
            annotations={"summary": "errors"},
            starts_at_ms=1769053637113,
            generator_url="http://prometheus:9090/graph",
        ),
    )


@pytest.mark.parametrize(
    ("alert", "named"),
    [
        (None, "the alert is null"),
        ([], "the alert is a list"),
        ("alert", "the alert is a string"),
        (1, "the alert is a number"),
        (True, "the alert is a boolean"),
        ({}, "fingerprint is null or missing"),
        (without("status"), "status"),
        (GOOD | {"status": "pending"}, 'status is "pending"'),
        (GOOD | {"status": ["firing"]}, "status is a list"),
        (without("fingerprint"), "fingerprint"),
        (GOOD | {"fingerprint": ""}, "fingerprint"),
        (GOOD | {"fingerprint": "XYZ"}, 'fingerprint is "XYZ"'),
        (GOOD | {"fingerprint": "C4B3"}, "lower-case"),
        (GOOD | {"fingerprint": "a" * 33}, "fingerprint"),
        (GOOD | {"fingerprint": "a\n"}, "fingerprint"),
        (GOOD | {"fingerprint": "../etc"}, "fingerprint"),
        (GOOD | {"fingerprint": 12}, "fingerprint is a number"),
        (without("labels"), "labels is null or missing"),
        (GOOD | {"labels": [["a", "b"]]}, "labels is a list"),
        (GOOD | {"labels": {"a": 1}}, "labels.a is a number"),
        (GOOD | {"labels": {"a": None}}, "labels.a is null"),
        (GOOD | {"labels": {"a": {"b": "c"}}}, "labels.a is an object"),
        (GOOD | {"labels": {"": "x"}}, "labels has an entry without a name"),
        (GOOD | {"annotations": []}, "annotations is a list"),
        (GOOD | {"annotations": {"a": False}}, "annotations.a is a boolean"),
        (without("startsAt"), "startsAt is null or missing"),
        (GOOD | {"startsAt": "yesterday"}, 'startsAt is "yesterday"'),
        (GOOD | {"startsAt": "0001-01-01T00:00:00Z"}, "startsAt"),
        (GOOD | {"startsAt": 1769053637}, "startsAt is a number"),
        (GOOD | {"status": "x" * 100_000}, "status"),
        (GOOD | {"labels": {"x" * 100_000: 1}}, "labels"),
    ],
)
def test_one_bad_alert_never_drops_its_neighbours(alert: object, named: str) -> None:
    """Trap 11's cousin: the bad one is named by its index and its problem, bounded; the others proceed."""
    notification = parse(GOOD, alert, GOOD | {"fingerprint": "02"})
    assert [read.fingerprint for read in notification.alerts] == ["c4b3a29100000001", "02"]
    (bad,) = notification.bad
    assert bad.index == 1
    assert named in bad.problem
    assert len(bad.problem) < 200


@pytest.mark.parametrize(
    "alert",
    [
        without("annotations"),
        GOOD | {"annotations": None},
        without("endsAt"),
        GOOD | {"endsAt": ["never"]},
        without("generatorURL"),
        GOOD | {"generatorURL": 7},
        GOOD | {"labels": {}},
        GOOD | {"labels": {"service.name": "shop", "läbel": "\x00\n", "empty": ""}},
        GOOD | {"surprise": {"deep": [[[]]]}},
        GOOD | {"startsAt": "2999-01-01T00:00:00Z"},
    ],
)
def test_what_nobody_decides_by_does_not_make_an_alert_bad(alert: dict[str, Any]) -> None:
    """Missing optional fields, UTF-8 label names, NUL in a value, a start in the future: all are alerts."""
    notification = parse(alert)
    assert (len(notification.alerts), notification.bad) == (1, ())


def test_the_same_fingerprint_twice_stays_twice_and_in_order() -> None:
    """Firing and then resolved in one body: the ledger hears both, and the last has the last word."""
    notification = parse(GOOD, GOOD | {"status": "resolved"})
    assert [alert.status for alert in notification.alerts] == ["firing", "resolved"]


def test_a_flood_of_bad_alerts_is_counted_and_not_described_in_full() -> None:
    """A million of them must not make an answer of a hundred megabytes."""
    notification = parse_notification(b'{"version":"4","alerts":[' + b"0," * 999_999 + b"0]}")
    assert notification.bad_count == 1_000_000
    assert len(notification.bad) == BAD_ALERTS_LISTED
    assert notification.bad[0] == BadAlert(0, "the alert is a number and must be an object")
