"""What Prometheus answers about its alerting rules, and about an expression over time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.notifications import parse_timestamp


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an expression over time. `values` are by time in milliseconds; they may be NaN or infinite."""

    values: Mapping[int, float]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Active:
    """An alert as its Prometheus knows it, before external labels are added; `firing` or only pending."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    firing: bool
    since_ms: int


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """An alerting rule; its labels may be templates. `for_s` and `keep_s` are its `for` and `keep_firing_for`."""

    name: str
    expression: str
    for_s: float = 0.0
    keep_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    active: tuple[Active, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A recording rule: what its series are called, and what they are made of."""

    name: str
    expression: str


def read_recording_rules(data: Any) -> Iterator[RecordingRule]:
    """Read the recording rules of the answer of `/api/v1/rules`; raises as `read_alerting_rules`."""
    for group in data["groups"]:
        for rule in group["rules"]:
            if rule["type"] == "recording":
                yield RecordingRule(str(rule["name"]), str(rule["query"]))


def read_alerting_rules(data: Any) -> Iterator[AlertingRule]:
    """Read the answer of `/api/v1/rules`. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    for group in data["groups"]:
        for rule in group["rules"]:
            if rule["type"] == "alerting":
                yield AlertingRule(
                    name=str(rule["name"]),
                    expression=str(rule["query"]),
                    for_s=float(rule.get("duration") or 0),
                    keep_s=float(rule.get("keepFiringFor") or 0),
                    labels=dict(rule.get("labels") or {}),
                    active=tuple(_active(one) for one in rule.get("alerts") or ()),
                )


def _active(entry: Any) -> Active:
    return Active(
        labels=dict(entry["labels"]),
        annotations=dict(entry.get("annotations") or {}),
        firing=entry["state"] == "firing",
        since_ms=parse_timestamp(entry.get("activeAt") or "") or 0,
    )


def read_series(data: Any) -> Iterator[Series]:
    """Read the answer of `/api/v1/query_range`; raises as above. Histograms are no numbers, and left out."""
    if data["resultType"] != "matrix":
        raise ValueError(f"a matrix is expected, and no {data['resultType']}")
    for one in data["result"]:
        values = {round(float(at) * 1000): float(value) for at, value in one.get("values") or ()}
        yield Series(values, dict(one["metric"]))
