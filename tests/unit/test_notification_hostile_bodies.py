"""Whatever the bytes, a body is read or refused: nothing but `BadBody` ever leaves the parser."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.notifications import BadBody, Notification, parse_notification

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = {
    "status": st.sampled_from(["firing", "resolved"]) | ANYTHING,
    "labels": st.dictionaries(st.text(), st.text(), max_size=4) | ANYTHING,
    "annotations": st.dictionaries(st.text(), st.text(), max_size=2) | ANYTHING,
    "startsAt": st.sampled_from(["2026-01-22T11:47:17.113904445+08:00", "0001-01-01T00:00:00Z"]) | ANYTHING,
    "fingerprint": st.sampled_from(["1", "c4b3a29100000001"]) | ANYTHING,
    "generatorURL": ANYTHING,
}
ALERTS = st.lists(st.fixed_dictionaries({}, optional=FIELDS) | ANYTHING, max_size=5)
ROOTS = st.fixed_dictionaries(
    {"version": st.just("4") | ANYTHING, "alerts": ALERTS | ANYTHING},
    optional={"truncatedAlerts": ANYTHING, "receiver": ANYTHING, "groupKey": ANYTHING, "status": ANYTHING},
)


def read_or_refused(body: bytes) -> None:
    try:
        notification = parse_notification(body)
    except BadBody as refused:
        named = refused.field
    else:
        check(notification)
        return
    assert named in {"body", "version", "alerts"}


def check(notification: Notification) -> None:
    for alert in notification.alerts:
        assert alert.starts_at_ms > 0
        assert all(isinstance(text, str) for text in alert.labels.values())
    assert notification.truncated >= 0


@settings(max_examples=1500, deadline=None)
@given(ROOTS)
def test_any_json_is_read_or_refused(root: dict[str, Any]) -> None:
    """Wrong types at every place, in every combination."""
    read_or_refused(json.dumps(root).encode())


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Not even UTF-8."""
    read_or_refused(body)


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_body_cut_or_spoilt_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    """What a broken connection or a broken proxy makes of a good one."""
    good = json.dumps({"version": "4", "alerts": [{"status": "firing", "labels": {"a": "b"}}]}).encode()
    at = data.draw(st.integers(0, len(good)))
    read_or_refused(good[:at] + data.draw(st.binary(max_size=3)) + good[at + data.draw(st.integers(0, 3)) :])
