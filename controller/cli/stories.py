"""Turns a journal and what was kept as evidence into lines that a person reads from top to bottom."""

from __future__ import annotations

from typing import Any

from controller.cli.times import offset, parse

_MOST_EVIDENCE = 12
_LONGEST = 160


def journal_lines(record: dict[str, Any]) -> list[str]:
    """One line per event, with its time since the rollback was opened; begun and done of a step share one."""
    opened_ms = parse(record["opened_at"]).timestamp() * 1000
    lines = [("+0.000 s", "opened")]
    begun: dict[tuple[str, int], float] = {}
    for entry in record["journal"]:
        kind, at_ms = entry["kind"], entry["at"]
        step = (entry.get("phase", ""), entry.get("step", -1))
        if kind == "intent":
            begun[step] = at_ms
            continue
        took = f" ({_seconds(at_ms - begun.pop(step))})" if kind == "done" and step in begun else ""
        lines.append((offset((at_ms - opened_ms) / 1000), told(entry) + took))
    lines += [
        (offset((at - opened_ms) / 1000), f"begun, not seen to end: {_doing(record, s)}")
        for s, at in begun.items()
    ]
    if record["ended_at"]:
        lines.append((offset((parse(record["ended_at"]).timestamp() * 1000 - opened_ms) / 1000), _ending(record)))
    width = max(len(at) for at, _ in lines)
    return [f"{at:>{width}}  {text}" for at, text in lines]


def told(entry: dict[str, Any]) -> str:
    """Say in a few words what an entry of the journal (other than an intent) means."""
    match entry["kind"]:
        case "done":
            found = entry.get("seen", {}).get("found")
            back = "way back: " if entry.get("phase") == "way-back" else ""
            return f"{back}{entry['does']}" + (f" ({found})" if found else "")
        case "prepared":
            return "looked at the target, kept the evidence, chose " + _chosen(entry)
        case "taken-over":
            return f"taken over by another worker while {entry.get('state', 'under way')}"
        case "way-back":
            return f"not good, going back: {entry.get('detail') or entry.get('reason')}"
        case kind:
            return str(entry.get("detail") or kind)


def _chosen(entry: dict[str, Any]) -> str:
    kept = next((c for c in entry.get("candidates", ()) if c["kept"]), None)
    return "-" if kept is None else f"{kept['release']} ({kept['detail'] or kept['reason']})"


def _doing(record: dict[str, Any], step: tuple[str, int]) -> str:
    for entry in record["journal"]:
        if entry["kind"] == "intent" and (entry.get("phase", ""), entry.get("step", -1)) == step:
            return str(entry["does"])
    return "a step"


def _ending(record: dict[str, Any]) -> str:
    return f"ended: {record['outcome']}" + (f" ({record['reason']})" if record["reason"] else "")


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def evidence_lines(record: dict[str, Any]) -> list[str]:
    """Summarise what was kept; `--json` has all of it."""
    prepared = [entry for entry in record["journal"] if entry["kind"] == "prepared"]
    if not prepared:
        return []
    evidence = prepared[-1].get("evidence") or {}
    lines = [line for name, value in evidence.items() for line in _facts(name, value)]
    more = len(lines) - _MOST_EVIDENCE
    return lines if more <= 0 else [*lines[:_MOST_EVIDENCE], f"… and {more} lines more: --json has all of it"]


def _facts(name: str, value: object) -> list[str]:
    if value in (None, "", [], {}):
        return []
    if isinstance(value, dict):
        return [f"{name}: " + _cut(", ".join(f"{k}={v}" for k, v in value.items() if v not in (None, "", [], {})))]
    if isinstance(value, list):
        value = "\n".join(map(str, value))
    lines = [line for line in str(value).splitlines() if line.strip()]
    if len(lines) <= 1:
        return [_cut(f"{name}: {line}") for line in lines]
    return [f"{name}, the last of {len(lines)} lines:", *(_cut(f"  {line}") for line in lines[-6:])]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
