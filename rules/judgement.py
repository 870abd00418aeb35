"""What becomes of one instance under one rule for one alert, with everything that was asked and considered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rules.decisions import Outcome, Reason
    from rules.guards.answers import Answer
    from rules.releases import Choice


@dataclass(frozen=True, slots=True)
class Judgement:
    """One outcome with one reason. `to` is the release it goes (or would go, or is proposed to go) back to.

    `wait` tells a hold that ends by itself, and that nobody is told of, from one that a person must see to.
    `until_ms` is when the reason ends, where that is known. `answers` are those of all guards, in their order.
    `choice` is None where nothing live was seen to choose from.
    """

    instance: str
    outcome: Outcome
    reason: Reason
    detail: str
    to: str | None = None
    answers: tuple[Answer, ...] = ()
    choice: Choice | None = None
    wait: bool = False
    until_ms: int | None = None


def shown(judgement: Judgement) -> dict[str, Any]:
    """Return a judgement as plain data: what `why`, the audit and `rules explain` show."""
    candidates = judgement.choice.candidates if judgement.choice else ()
    return {
        "instance": judgement.instance,
        "outcome": judgement.outcome.value,
        "reason": judgement.reason.value,
        "detail": judgement.detail,
        "to": judgement.to,
        "wait": judgement.wait,
        "until_ms": judgement.until_ms,
        "guards": [
            {
                "guard": answer.guard,
                "verdict": answer.verdict.value,
                "reason": answer.reason.value,
                "detail": answer.detail,
                "facts": [asdict(fact) for fact in answer.facts],
            }
            for answer in judgement.answers
        ],
        "candidates": [
            {"release": c.release, "kept": c.kept, "reason": c.reason.value, "detail": c.detail}
            for c in candidates
        ],
    }
