"""Turns a journal into lines that a person reads from top to bottom."""

from __future__ import annotations

from typing import Any

from controller.cli.times import offset, parse


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
            return _done(entry)
        case "prepared":
            return "looked at the target, kept the evidence, chose " + _chosen(entry)
        case "judged" | "asked":
            return _judged(entry)
        case "taken-over":
            return f"taken over by another worker while {entry.get('state', 'under way')}"
        case "way-back":
            return f"not good, going back: {entry.get('detail') or entry.get('reason')}"
        case kind:
            return str(entry.get("detail") or kind)


def _judged(entry: dict[str, Any]) -> str:
    found = entry["judgement"]
    if entry["kind"] == "asked":
        return f"asked a person ({found['reason']}): {found['detail']}"
    return f"{found['outcome']} ({found['reason']}): {found['detail']}"


def _done(entry: dict[str, Any]) -> str:
    """Say what was done; a step that fails no rollback is also over where it could not be done."""
    seen = entry.get("seen", {})
    does = ("way back: " if entry.get("phase") == "way-back" else "") + str(entry["does"])
    if seen.get("why") and not (seen.get("event") or seen.get("stripped")):
        return f"not done, and nothing depends on it: {does}: {seen['why']}"
    return does + (f" ({seen['found']})" if seen.get("found") else "")


def _chosen(entry: dict[str, Any]) -> str:
    considered = entry.get("candidates") or (entry.get("judgement") or {}).get("candidates") or ()
    kept = next((c for c in considered if c["kept"]), None)
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
