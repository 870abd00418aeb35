"""How a dry run reads: what goes where, and each step with its way back."""

from __future__ import annotations

from typing import Any

from controller.cli.hints import by_hand
from controller.cli.terminal import say
from rules.instances import read_instance

_NOTHING_BACK = "nothing to take back"


def print_plan(answer: dict[str, Any]) -> bool:
    """Print one instance's plan or refusal; returns whether it could be carried out."""
    label = read_instance(answer["instance"]).label
    plan, refusal = answer.get("plan"), answer.get("refusal")
    if plan:
        say(f"{label}: {plan['from_release'] or '(none)'} → {plan['to_release']}", bold=True)
        for number, step in enumerate(plan["steps"], 1):
            say(f"  {number}. {step['does']}")
            if not step["way_back"].startswith(_NOTHING_BACK):
                say(f"     way back: {step['way_back']}", style="bright_black")
    if refusal or not plan:
        refusal = refusal or {"reason": "unknown-state", "detail": "no worker said why"}
        say(f"{label}: would be refused ({refusal['reason']})", bold=True, style="red")
        say(f"  {refusal['detail']}")
        if hint := by_hand(refusal["reason"], answer["instance"]):
            say(f"  by hand: {hint}")
    for note in (*notes_of(plan), *(answer.get("notes") or ())):
        say(f"  note: {note}", style="yellow")
    _print_candidates(answer.get("candidates") or [])
    return bool(plan and not refusal)


def notes_of(plan: dict[str, Any] | None) -> list[str]:
    """Return what a person should know of a plan, as that the next deployment undoes it."""
    steps = (plan or {}).get("steps") or ()
    return list(dict.fromkeys(note for step in steps for note in (step.get("values") or {}).get("notes") or ()))


def _print_candidates(candidates: list[dict[str, Any]]) -> None:
    """Say why it is the one that was chosen; where none was, the refusal has said so already."""
    chosen = next((candidate for candidate in candidates if candidate["kept"]), None)
    if chosen is None:
        return
    say(f"  because {chosen['detail'] or chosen['reason']}", style="bright_black")
    for candidate in candidates:
        is_news = not candidate["kept"] and candidate["reason"] != "release-current"
        if is_news and candidate["release"] != chosen["release"]:
            said = candidate["detail"] or candidate["reason"]
            say(f"  not {candidate['release']}: {said}", style="bright_black")
