"""How a judgement reads: the answer, then every guard with its facts, then every release that was considered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.cli.times import span
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_IN_FULL = 3
_SAYS = {
    "roll-back": "goes back",
    "ask": "asks a person",
    "observe": "only watches",
    "hold": "holds",
    "refuse": "refuses",
    "no-match": "is not about it",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a story: how far it steps in, what it says, and whether it steps back or stands out."""

    indent: int
    text: str
    dim: bool = False
    bold: bool = False


def judgements_lines(judgements: Sequence[dict[str, Any]], indent: int, said: str = "") -> Iterator[Line]:
    """Tell of every instance; what came to the same answer as one before is told in one line.

    What `said` has told already is not told again.
    """
    told: set[tuple[str, str]] = set()
    for one in judgements:
        answer = (one["outcome"], one["reason"])
        in_full = answer not in told and len(told) < _IN_FULL
        told.add(answer)
        yield from judgement_lines(one, indent, in_full=in_full, said=said)


def judgement_lines(one: dict[str, Any], indent: int, *, in_full: bool = True, said: str = "") -> Iterator[Line]:
    """Tell of one instance: the answer first, what said no before what allowed it."""
    says = _SAYS.get(one["outcome"], one["outcome"])
    if one.get("to"):
        says += f" to {one['to']}" if one["outcome"] == "roll-back" else f"; it would go to {one['to']}"
    yield Line(indent, f"{_label(one['instance'])}: {says} ({one['reason']})", bold=True)
    if one.get("detail") and one["detail"] not in said:
        yield Line(indent + 2, one["detail"])
    if in_full:
        yield from _guards(one.get("guards") or (), indent + 2)
        yield from _candidates(one.get("candidates") or (), indent + 2)


def _guards(guards: Iterable[dict[str, Any]], indent: int) -> Iterator[Line]:
    found = list(guards)
    against = [guard for guard in found if guard["verdict"] != "allow"]
    allowing = [guard for guard in found if guard["verdict"] == "allow"]
    for title, some in (("what speaks against it", against), ("what was asked and allows it", allowing)):
        if some:
            yield Line(indent, f"{title}:")
        for guard in some:
            yield from _guard(guard, indent + 2)


def _guard(guard: dict[str, Any], indent: int) -> Iterator[Line]:
    verdict = (
        "" if guard["verdict"] == "allow" else f" {guard['verdict']}s" if guard["verdict"] != "wait" else " waits"
    )
    reason = f" ({guard['reason']})" if guard["reason"] != "allowed" else ""
    detail = f": {guard['detail']}" if guard.get("detail") else ""
    yield Line(indent, f"{guard['guard']}{verdict}{reason}{detail}")
    for fact in guard.get("facts") or ():
        yield Line(indent + 2, fact_words(fact), dim=True)


def fact_words(fact: dict[str, Any]) -> str:
    """Say a fact with its source and its age."""
    age = fact.get("age_s")
    about = [part for part in (fact.get("source"), "" if age is None else f"{span(age)} old") if part]
    return f"{fact['name']}: {fact['value']}" + (f" ({', '.join(about)})" if about else "")


def _candidates(candidates: Iterable[dict[str, Any]], indent: int) -> Iterator[Line]:
    found = list(candidates)
    if found:
        yield Line(indent, "releases that were considered:")
    for one in found:
        said = one["detail"] or one["reason"]
        yield Line(indent + 2, f"{'' if one['kept'] else 'not '}{one['release']} ({one['reason']}): {said}")


def _label(instance: str) -> str:
    try:
        return read_instance(instance).label
    except ValueError:  # another version's word for it
        return instance
