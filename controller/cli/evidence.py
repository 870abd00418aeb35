"""Turns what was kept as evidence into lines that a person reads; `--json` has all of it."""

from __future__ import annotations

from typing import Any

_LONGEST = 400
_MOST_LINES = 10
_MOST_EVENTS = 10


def evidence_lines(record: dict[str, Any]) -> list[str]:
    """Summarise it: short facts first, then for each pod why and its last words, then the events."""
    prepared = [entry for entry in record["journal"] if entry["kind"] == "prepared"]
    evidence = dict((prepared[-1].get("evidence") or {}) if prepared else {})
    pods, events = _entries(evidence, "pods"), _entries(evidence, "events")
    lines = [line for name, value in evidence.items() for line in _facts(name, value)]
    lines += [line for pod in pods for line in _pod(pod)]
    return lines + _events(events)


def _entries(evidence: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Take a list of entries out; anything else stays to be told as a fact."""
    found = evidence.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return []
    del evidence[name]
    return found


def _pod(pod: dict[str, Any]) -> list[str]:
    restarts = f", {pod['restarts']} restarts" if pod.get("restarts") else ""
    lines = [_cut(f"pod {pod.get('pod')}: {pod.get('why') or 'not ready'}{restarts}")]
    for name, log in (pod.get("logs") or {}).items():
        lines += [f"  {line}" for line in _log(name, log or "")]
    return lines


def _events(events: list[dict[str, Any]]) -> list[str]:
    shown = events[-_MOST_EVENTS:]
    more = [f"the last {len(shown)} of {len(events)} events:"] if len(shown) < len(events) else []
    return more + [_cut(f"{_about(event)}{event.get('reason')}: {event.get('message')}") for event in shown]


def _about(event: dict[str, Any]) -> str:
    return f"{event['about']}: " if event.get("about") else ""


def _facts(name: str, value: object) -> list[str]:
    if value in (None, "", [], {}):
        return []
    if isinstance(value, dict):
        return [f"{name}: " + _cut(", ".join(f"{k}={v}" for k, v in value.items() if v not in (None, "", [], {})))]
    if isinstance(value, list):
        value = "\n".join(map(str, value))
    return _log(name, str(value))


def _log(name: str, text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) <= 1:
        return [_cut(f"{name}: {line}") for line in lines]
    which = f"the last of {len(lines)} lines" if len(lines) > _MOST_LINES else f"{len(lines)} lines"
    return [f"{name}, {which}:", *(_cut(f"  {line}") for line in lines[-_MOST_LINES:])]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
