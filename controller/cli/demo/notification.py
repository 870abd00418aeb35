"""A notification as Alertmanager writes it: version 4, every field, and its own fingerprint of the labels."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEVER = "0001-01-01T00:00:00Z"
_FNV_OFFSET, _FNV_PRIME, _SEPARATOR = 0xCBF29CE484222325, 0x100000001B3, b"\xff"


def notification(
    status: Literal["firing", "resolved"],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    since: datetime,
) -> dict[str, Any]:
    """Return the body about one alert that began at `since`."""
    alert = {
        "status": status,
        "labels": dict(labels),
        "annotations": dict(annotations),
        "startsAt": _stamp(since),
        "endsAt": _NEVER if status == "firing" else _stamp(datetime.now(UTC)),
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=error_rate+%3E+0.05&g0.tab=1",
        "fingerprint": fingerprint(labels),
    }
    grouped = {"alertname": labels["alertname"]}
    return {
        "version": "4",
        "groupKey": f'{{}}/{{severity="critical"}}:{{alertname="{labels["alertname"]}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "rollback-controller",
        "groupLabels": grouped,
        "commonLabels": dict(labels),
        "commonAnnotations": dict(annotations),
        "externalURL": "http://alertmanager.example:9093",
        "alerts": [alert],
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """Hash a label set as Alertmanager does: FNV-1a over names and values in order."""
    value = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def trouble_begins() -> datetime:
    """Return when the demo's trouble began."""
    return datetime.now(UTC)
