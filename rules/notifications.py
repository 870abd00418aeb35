"""Reads the body that Alertmanager's webhook sends, version 4.

A body is judged once, as a whole (`BadBody`), and then alert by alert: what is wrong with one alert says so
beside its index and never drops its neighbours. Unknown fields are ignored, so older and newer Alertmanagers
(`notification_reason`, `routeLabels`) are read alike. Nothing but `BadBody` leaves `parse_notification`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

import orjson

from rules.alerts import Alert

BAD_ALERTS_LISTED: Final = 100
"""So many bad alerts of one body are described; beyond that they are only counted."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{1,32}")
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LONGEST_RFC3339: Final = len("2006-01-02T15:04:05.999999999+07:00")
_QUOTED_META: Final = re.compile(r"\\([\\.+*?()|\[\]{}^$])")
_MOST_TRUNCATED: Final = 2**53


class BadBody(ValueError):
    """The body as a whole can never be accepted; `field` names what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class _Problem(ValueError):
    """What is wrong with one alert, for a person."""


@dataclass(frozen=True, slots=True)
class BadAlert:
    """One alert that could not be read: its place in the body and what is wrong with it, for a person."""

    index: int
    problem: str


@dataclass(frozen=True, slots=True)
class Notification:
    """One POST from Alertmanager, in the order of its body.

    The same fingerprint may come twice: both stay, and since order is kept the later one has the last word.
    `bad` describes the first `BAD_ALERTS_LISTED` bad alerts, `bad_count` counts all of them.
    `truncated` is how many alerts Alertmanager cut off (`max_alerts`); never understated.
    """

    alerts: tuple[Alert, ...]
    bad: tuple[BadAlert, ...]
    truncated: int
    receiver: str
    group_key: str
    bad_count: int


def parse_notification(body: bytes) -> Notification:
    """Read a version 4 body; raises `BadBody` and nothing else."""
    root = _read_root(body)
    alerts: list[Alert] = []
    bad: list[BadAlert] = []
    bad_count = 0
    for index, raw in enumerate(_read_alerts(root)):
        try:
            alerts.append(_read_alert(raw))
        except _Problem as problem:
            bad_count += 1
            if bad_count <= BAD_ALERTS_LISTED:
                bad.append(BadAlert(index, str(problem)))
    return Notification(
        alerts=tuple(alerts),
        bad=tuple(bad),
        truncated=_read_truncated(root.get("truncatedAlerts")),
        receiver=_QUOTED_META.sub(r"\1", _text(root.get("receiver"))),
        group_key=_text(root.get("groupKey")),
        bad_count=bad_count,
    )


def parse_timestamp(text: object) -> int | None:
    """Read an RFC 3339 time as milliseconds since the epoch, UTC; None for anything else.

    Up to nine digits of fraction (the rest below a millisecond is cut) and any offset.
    """
    if isinstance(text, str) and len(text) <= _LONGEST_RFC3339:
        return _parse_timestamp(text)
    return None


@lru_cache(maxsize=4096)
def _parse_timestamp(text: str) -> int | None:
    # The alerts of one evaluation share their startsAt, so that most of a storm is answered by the cache.
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND
    except ValueError:
        return None


def _read_root(body: bytes) -> Mapping[str, object]:
    try:
        root = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadBody("body", f"the body is not JSON: {error}") from error
    if not isinstance(root, dict):
        raise BadBody("body", f"the body is {_kind(root)}; Alertmanager's webhook sends an object")
    version = root.get("version")
    if version != "4":
        raise BadBody(
            "version",
            f'version is {_shown(version)} and must be the string "4"; point a webhook receiver without '
            "a `payload` of its own at this address",
        )
    return root


def _read_alerts(root: Mapping[str, object]) -> list[object]:
    alerts = root.get("alerts")
    if not isinstance(alerts, list):
        found = _kind(alerts) if "alerts" in root else "missing"
        raise BadBody("alerts", f"alerts is {found} and must be a list")
    return alerts


def _read_alert(raw: object) -> Alert:
    if not isinstance(raw, dict):
        raise _Problem(f"the alert is {_kind(raw)} and must be an object")
    annotations = raw.get("annotations")
    return Alert(
        fingerprint=_read_fingerprint(raw.get("fingerprint")),
        status=_read_status(raw.get("status")),
        labels=_read_texts("labels", raw.get("labels")),
        annotations=_read_texts("annotations", {} if annotations is None else annotations),
        starts_at_ms=_read_start(raw.get("startsAt")),
        generator_url=_text(raw.get("generatorURL")),
    )


def _read_fingerprint(value: object) -> str:
    if isinstance(value, str) and _FINGERPRINT.fullmatch(value):
        return value
    raise _Problem(f"fingerprint is {_shown(value)} and must be 1 to 32 lower-case hexadecimal digits")


def _read_status(value: object) -> Literal["firing", "resolved"]:
    if value == "firing":
        return "firing"
    if value == "resolved":
        return "resolved"
    raise _Problem(f'status is {_shown(value)} and must be "firing" or "resolved"')


def _read_texts(field: str, texts: object) -> Mapping[str, str]:
    if not isinstance(texts, dict):
        raise _Problem(f"{field} is {_kind(texts)} and must be an object")
    for name, text in texts.items():
        if not name:
            raise _Problem(f"{field} has an entry without a name")
        if type(text) is not str:
            raise _Problem(f"{field}.{_short(name)} is {_kind(text)} and must be a string")
    return texts


def _read_start(value: object) -> int:
    starts_at_ms = parse_timestamp(value)
    if starts_at_ms is None or starts_at_ms <= 0:
        raise _Problem(f"startsAt is {_shown(value)} and must be the RFC 3339 time at which it began")
    return starts_at_ms


def _read_truncated(count: object) -> int:
    if count is None:
        return 0
    if type(count) is int and count >= 0:
        return min(count, _MOST_TRUNCATED)
    return 1  # Unreadable: believing that nothing was cut off would be the dangerous guess.


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _kind(value: object) -> str:
    """Name a JSON value's type as its sender knows it."""
    if value is None:
        return "null or missing"
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")


def _shown(value: object) -> str:
    """Show a value that came from outside, bounded and on one line."""
    if isinstance(value, str):
        return orjson.dumps(_short(value)).decode()
    return _kind(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"
