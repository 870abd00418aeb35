"""From the judgements on single instances to the one decision on an alert under a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Decision, Outcome, Reason
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rules.judgement import Judgement

GOES = (Outcome.ROLL_BACK, Outcome.ASK, Outcome.OBSERVE)
"""Outcomes by which an instance goes back, or would: on its own, once a person agrees, were the rule to act."""
_STRONGEST = {outcome: at for at, outcome in enumerate((*GOES, Outcome.HOLD, Outcome.REFUSE, Outcome.NO_MATCH))}
_WORDS = {
    Outcome.ROLL_BACK: "rolls back",
    Outcome.ASK: "asks whether to roll back",
    Outcome.OBSERVE: "would roll back",
    Outcome.HOLD: "holds",
    Outcome.REFUSE: "leaves alone",
}


def decision_of(judgements: Sequence[Judgement]) -> Decision:
    """Put judgements, of which there is at least one, into one decision.

    Its outcome is the strongest of them: some instances may go back while others are held. Each instance that does
    not go back maps to None.
    """
    ordered = sorted(judgements, key=lambda one: _STRONGEST[one.outcome])
    first = ordered[0]
    instances = {one.instance: one.to if one.outcome in GOES else None for one in judgements}
    return Decision(first.outcome, first.reason, "; ".join(_told(ordered)), instances, tuple(judgements))


def _told(ordered: Iterable[Judgement]) -> Iterable[str]:
    """Say of each group of instances with the same answer what becomes of it."""
    groups: dict[tuple[Outcome, Reason, str], list[Judgement]] = {}
    for one in ordered:
        groups.setdefault((one.outcome, one.reason, one.detail), []).append(one)
    for (outcome, _, detail), group in groups.items():
        yield f"{_WORDS.get(outcome, outcome.value)} {', '.join(map(_move, group))}: {detail}"


def _move(one: Judgement) -> str:
    label = read_instance(one.instance).label
    return f"{label} to {one.to}" if one.to is not None and one.outcome in GOES else label
