"""The bodies that are sent: version 4, with labels and annotations of an ordinary length."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

AS_INSTALLED = {"log": {"level": "info", "format": "json"}}
"""The settings' own default, in place of what suits a person who reads the log of a test."""

FRESH = "FINGERPRINT"
"""Where `load.lua` writes a fingerprint that was never sent before."""


def body(count: int, alertname: str, *, fresh: bool = False) -> str:
    """Return a notification of `count` firing alerts about as many instances."""
    started = just_now()
    alerts = [_alert(n, alertname, started, FRESH if fresh else f"{0xA000_0000 + n:016x}") for n in range(count)]
    return notification(alerts)


def just_now() -> str:
    """Return a start for an alert."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def notification(alerts: list[dict[str, Any]]) -> str:
    """Return the body that Alertmanager sends about these alerts."""
    return json.dumps(
        {
            "receiver": "rollback-controller",
            "status": "firing",
            "alerts": alerts,
            "groupLabels": {"alertname": "ShopFails"},
            "commonLabels": {"alertname": "ShopFails", "severity": "critical"},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "version": "4",
            "groupKey": '{}:{alertname="ShopFails"}',
            "truncatedAlerts": 0,
        },
        separators=(",", ":"),
    )


def alert(labels: dict[str, str], fingerprint: str, starts_at: str) -> dict[str, Any]:
    """Return one firing alert."""
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {
            "summary": f"{labels['instance']} of {labels.get('service', 'shop')} answers with errors",
            "description": "More than 5% of the requests failed over the last five minutes; the release is new.",
            "runbook_url": "https://runbooks.example/shop/high-error-rate",
        },
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=rate%28http_errors_total%5B5m%5D%29&g0.tab=1",
        "fingerprint": fingerprint,
    }


def _alert(n: int, alertname: str, started: str, fingerprint: str) -> dict[str, Any]:
    labels = {
        "alertname": alertname,
        "severity": "critical",
        "service": "shop",
        "instance": f"10.90.{n // 250}.{n % 250}:9100",
        "track": "canary",
        "cluster": "eu-1",
        "job": "shop",
        "namespace": "shop-production",
    }
    return alert(labels, fingerprint, started)
