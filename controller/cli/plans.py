"""How a dry run reads: what goes where, and each step with its way back."""

from __future__ import annotations

from typing import Any

from controller.cli.terminal import say
from rules.instances import read_instance


def print_plan(answer: dict[str, Any]) -> bool:
    """Print one instance's plan or refusal; returns whether there is a plan."""
    label = read_instance(answer["instance"]).label
    if plan := answer.get("plan"):
        say(f"{label}: {plan['from_release'] or '(none)'} → {plan['to_release']}", bold=True)
        for number, step in enumerate(plan["steps"], 1):
            say(f"  {number}. {step['does']}")
            say(f"     way back: {step['way_back']}", style="bright_black")
    else:
        refusal = answer.get("refusal") or {"reason": "unknown-state", "detail": "no worker said why"}
        say(f"{label}: would be refused ({refusal['reason']})", bold=True, style="red")
        say(f"  {refusal['detail']}")
    chosen = plan["to_release"] if plan else None
    for candidate in answer.get("candidates") or ():
        if not candidate["kept"] and candidate["release"] != chosen:
            say(
                f"  not {candidate['release']}: {candidate['detail'] or candidate['reason']}", style="bright_black"
            )
    return bool(answer.get("plan"))
