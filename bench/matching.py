"""What it costs to find the rules that an alert meets, as their number grows, and to read that many."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rules.rulefile import parse_rules

COUNTS = (10, 1_000, 10_000)
_ALERTS = 1_000
_ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Matching:
    """The median over rounds, for rules that are all about one alert name and differ by service."""

    rules: int
    us_per_alert: float
    read_s: float


def matching() -> list[Matching]:
    """Measure each number of rules in turns, so that the machine's moods meet all of them."""
    sets, read_s = {}, {}
    for count in COUNTS:
        began = time.perf_counter()
        sets[count] = parse_rules(_rules(count), "rules.yaml")
        sets[count].match({"alertname": "HighErrorRate"})  # builds the index
        read_s[count] = time.perf_counter() - began
        print(f"  {count:6} rules read and indexed in {read_s[count]:.2f} s", flush=True)
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(_ROUNDS):
        for count in COUNTS:
            times[count].append(_round(sets[count].match, count))
    found = [Matching(count, statistics.median(times[count]), read_s[count]) for count in COUNTS]
    for one in found:
        times_least = one.us_per_alert / found[0].us_per_alert
        print(f"  {one.rules:6} rules: {one.us_per_alert:.2f} µs an alert, {times_least:.2f} times", flush=True)
    return found


def _round(match: Callable[[Mapping[str, str]], Sequence[object]], count: int) -> float:
    alerts = [_labels(n * 7919 % count) for n in range(_ALERTS)]
    began = time.perf_counter()
    found = sum(len(match(labels)) for labels in alerts)
    took = time.perf_counter() - began
    assert found == _ALERTS, f"each alert is about one rule, yet {found} were found for {_ALERTS}"
    return took / _ALERTS * 1e6


def _labels(n: int) -> dict[str, str]:
    return {
        "alertname": "HighErrorRate",
        "severity": "critical",
        "service": f"shop-{n}",
        "instance": "10.90.0.3:9100",
        "track": "canary",
        "cluster": "eu-1",
        "job": "shop",
        "namespace": "shop-production",
    }


def _rules(count: int) -> str:
    rules = [
        {
            "name": f"shop-{n}",
            "mode": "act",
            "when": {
                "matchers": ['alertname="HighErrorRate"', f'service="shop-{n}"', 'severity=~"critical|page"']
            },
            "target": {"hosts": {"instance": "{{ $labels.instance }}"}, "service": "shop"},
            "to": ["previous"],
        }
        for n in range(count)
    ]
    return json.dumps({"version": "rules/v1", "rules": rules}, indent=1)
