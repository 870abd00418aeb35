"""Old against new, in PromQL: the running release must be so many times as bad as every other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.guards.answers import UsedFact, Verdict, used
from rules.guards.asking import answered, numbers
from rules.guards.elsewhere import Found
from rules.guards.names import running
from rules.limits import write_number

if TYPE_CHECKING:
    from rules.facts import Case, Sample
    from rules.guards.names import Release
    from rules.limits import Compare


def compared(case: Case) -> Found | None:
    """Judge the rule's `compare`; None where it has none."""
    caused, ours = case.rule.guards.caused_by_release, running(case)
    if caused is None or caused.compare is None or ours is None:
        return None
    compare = caused.compare
    answer = answered(case, compare.query)
    values = _by_release(numbers(answer.value), compare.by, ours) if answer else {}
    facts = (used("compare", answer, case.now_ms, _shown(values, ours) if answer else None),)
    if answer is None:
        detail = "Prometheus could not be asked to compare the releases; see `rollbackctl doctor`"
        return Found(Verdict.HOLD, Reason.MONITORING_BLIND, detail, facts)
    if None not in values:
        detail = (
            f"the answer to `compare` has no {compare.by} that names {ours.name} "
            f"(it has {', '.join(sorted(filter(None, values))) or 'none'}); see whether it is scraped, and "
            f"whether `by` is the label that names a release"
        )
        return Found(Verdict.HOLD, Reason.MONITORING_BLIND, detail, facts)
    return _judged(values.pop(None), values, compare, ours, facts)  # type: ignore[arg-type]


def _judged(
    own: float, others: dict[str, float], compare: Compare, ours: Release, facts: tuple[UsedFact, ...]
) -> Found:
    if own <= 0:
        shows = f"{ours.name} shows no trouble in the answer to `compare` ({write_number(own)})"
        detail = f"{shows}; look for another cause"
        return Found(Verdict.REFUSE, Reason.ALSO_ON_OTHER_RELEASES, detail, facts)
    if not others:
        return Found(Verdict.ALLOW, detail="`compare` finds no other release to compare it with", facts=facts)
    worst = max(sorted(others), key=others.__getitem__)
    times = f"{write_number(compare.at_least)} times"
    if own < compare.at_least * others[worst] or math.isinf(others[worst]):
        detail = (
            f"{ours.name} shows {own:.6g} and {worst} {others[worst]:.6g}, which is less than {times} as much; "
            "look for a cause that they have in common"
        )
        return Found(Verdict.REFUSE, Reason.ALSO_ON_OTHER_RELEASES, detail, facts)
    detail = f"{ours.name} is at least {times} as bad as every other release"
    return Found(Verdict.ALLOW, detail=detail, facts=facts)


def _by_release(samples: tuple[Sample, ...], by: str, ours: Release) -> dict[str | None, float]:
    """Return the least of the running release's samples, under None, and the worst of each other's."""
    values: dict[str | None, float] = {}
    for sample in samples:
        word = sample.labels.get(by, "")
        name = None if ours.is_called(word) else word or "(nothing)"
        so_far = values.get(name, sample.value)
        values[name] = min(so_far, sample.value) if name is None else max(so_far, sample.value)
    return values


def _shown(values: dict[str | None, float], ours: Release) -> str:
    named = {name or ours.name: value for name, value in values.items()}
    return ", ".join(f"{name} {value:.6g}" for name, value in sorted(named.items())) or "no samples"
