"""Notifications as Alertmanager writes them, changed as trees and as bytes, with headers that may lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st
from testbed.alertmanager import alert, body
from testbed.web_face import CANARY

from fuzz import pieces
from fuzz.trees import EDITS, Edit, edited

_AT = "2026-01-22T11:47:17.113904445+08:00"
_STABLE = {**CANARY, "track": "stable", "instance": "10.90.0.2:9100"}
_OTHER = {"alertname": "DiskFull", "severity": "warning", "instance": "10.90.0.9:9100"}


def _alert(labels: dict[str, str], **over: Any) -> dict[str, Any]:
    return {**alert(labels, starts_at=_AT), "endsAt": "0001-01-01T00:00:00Z", **over}


_MANY = [_alert({**CANARY, "instance": f"10.90.1.{n}:9100"}) for n in range(120)]
REAL: tuple[dict[str, Any], ...] = (
    body(_alert(CANARY)),
    body(_alert(CANARY), _alert(_STABLE), _alert(_OTHER)),
    body(_alert(CANARY, status="resolved", endsAt=_AT), _alert(_STABLE)),
    body(_alert(CANARY), _alert(CANARY, status="resolved"), _alert(CANARY, startsAt="2026-01-22T11:50:00Z")),
    body(_alert(_OTHER)),
    body(*_MANY),
    body(_alert({**CANARY, "version": "v1.3.0"}), truncatedAlerts=7, notification_reason="repeat", routeLabels={}),
    body(),
)


class Posted(NamedTuple):
    """One request: its body, and the headers that go with it; `announced` is what it says its length is."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    announced: str | None


HEADERS = st.lists(
    st.sampled_from(
        [
            *(
                ("Content-Type", value)
                for value in ("application/json", "text/plain; charset=x", "multipart/form-data", "")
            ),
            ("Content-Type", "application/x-www-form-urlencoded; boundary=\xff"),
            *(("Content-Encoding", value) for value in ("gzip", "identity", "IDENTITY", "br, gzip", "\xff", "")),
            *(("Transfer-Encoding", value) for value in ("chunked", "gzip, chunked", "x")),
            *(
                ("Accept", value)
                for value in ("*/*", "application/openmetrics-text;version=9.9", ";q=x,,", "\xff" * 200)
            ),
            *(
                ("Expect", "100-continue"),
                ("X-Forwarded-For", "::1, x"),
                ("Host", "a b:c"),
                ("Host", ""),
                ("Cookie", "=;="),
            ),
            *(("Range", "bytes=9-1"), ("If-Modified-Since", "never"), ("X-HTTP-Method-Override", "DELETE")),
        ]
    ),
    max_size=2,
).map(tuple)
_LENGTHS = st.sampled_from(
    [None, None, None, "0", "1", "-1", "99999", "16777216", "16777217", "9" * 5000, "abc", " 5", "٣"]
)


def _written(base: int, edits: Sequence[Edit], changes: Sequence[pieces.Change], *, plain: bool) -> bytes:
    text = json.dumps(edited(REAL[base], edits), ensure_ascii=plain)
    return pieces.changed(text.encode("utf-8", "surrogatepass"), changes, pieces.JSON)


BODIES = st.builds(
    _written,
    st.integers(0, len(REAL) - 1),
    EDITS,
    st.just([]) | st.just([]) | pieces.CHANGES,
    plain=st.booleans(),
)
POSTED = st.builds(Posted, BODIES, HEADERS, _LENGTHS)
"""A length is told rightly where `announced` is None."""
