"""What must hold whatever fails: each a function from a history to what is wrong with it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from chaos.history import DEPLOYER, US, Change, History

Invariant = Callable[[History], list[str]]
_HOUR_S = 3600.0
_OVER = frozenset({"ended", "held"})


def accepted_has_an_end(history: History) -> list[str]:
    """Each alert answered 202 has a decision per rule; each rollback ends or is held, with a reason."""
    return [*_undecided(history), *_endless(history)]


def _undecided(history: History) -> Iterator[str]:
    for alert in history.accepted:
        decided = {one.get("rule") for one in history.decisions.get(alert.fingerprint, ())}
        for rule in sorted(alert.rules - decided):
            yield f"alert {alert.fingerprint} about {alert.instance} was accepted; rule {rule} never decided on it"


def _endless(history: History) -> Iterator[str]:
    for rollback in history.rollbacks:
        told = f"rollback {rollback['id']} of {rollback['instance']}"
        if rollback["state"] not in _OVER:
            yield f"{told} is still {rollback['state']} ({rollback['reason']}: {rollback['detail']})"
        elif not rollback["reason"] or not rollback["detail"]:
            yield f"{told} is {rollback['state']} and does not say why"


def one_change_per_effect(history: History) -> list[str]:
    """Nothing leaves an arrival twice; what our own hand brought is left only by its rollback's one way back."""
    return [problem for instance in history.instances for problem in _left_twice(history, instance)]


def _left_twice(history: History, instance: str) -> Iterator[str]:
    ways_back = Counter(
        rollback["id"] for rollback in history.rollbacks for _ in _intents(rollback, "switch", "way-back")
    )
    last: Change | None = None
    for change in history.of(instance):
        if change.by == US and last is not None and last.by == US:
            if change.rollback != last.rollback:
                yield f"{instance}: {change.rollback} took back what {last.rollback} had brought"
            elif ways_back[change.rollback] < 1:
                yield f"{instance}: {change.rollback} changed it twice, to {last.to} and to {change.to}"
            else:
                ways_back[change.rollback] -= 1
        last = change


def one_unfinished_rollback_per_instance(history: History) -> list[str]:
    """At no moment two; by what the API showed meanwhile, and by when each was opened and ended."""
    problems = []
    for seen in history.unfinished_seen:
        twice = [instance for instance, n in Counter(seen).items() if n > 1]
        problems += [f"{instance} had two unfinished rollbacks at once" for instance in twice]
    return problems + [problem for instance in history.instances for problem in _overlaps(history, instance)]


def _overlaps(history: History, instance: str) -> Iterator[str]:
    own = sorted(
        (r for r in history.rollbacks if r["instance"] == instance),
        key=lambda r: (r["opened_at"], r["ended_at"] or "9"),
    )
    for earlier, later in pairwise(own):
        if earlier["ended_at"] is None or later["opened_at"] < earlier["ended_at"]:
            yield f"{instance}: {later['id']} was opened before {earlier['id']} had ended"


def one_step_in_flight_per_instance(history: History) -> list[str]:
    """No restart ends after another began: on the target, one hand works at a time."""
    problems = []
    for instance in history.instances:
        running: int | None = None
        for line in (one for one in history.restarts if one.instance == instance):
            if line.begins:
                running = line.pid
            elif line.pid != running:
                problems.append(f"{instance}: a restart went on while another was under way")
    return problems


def no_stale_write(history: History) -> list[str]:
    """After a fence was on a target, no change is made with a lower one."""
    problems = []
    for instance in history.instances:
        seen = sorted(
            [(one.at, one.fence) for one in history.fences if one.instance == instance]
            + [(one.at, one.fence) for one in history.of(instance) if one.by == US],
        )
        for (_, before), (_, after) in pairwise(seen):
            if after < before:
                problems.append(f"{instance}: fence {after} came after {before}")
        fences = [one.fence for one in history.restarts if one.instance == instance and one.begins]
        if fences != sorted(fences):
            problems.append(f"{instance}: a restart was made with a lower fence than the one before it: {fences}")
    return problems


def never_over_a_limit(history: History) -> list[str]:
    """No hour has more starts than the rule allows, counted by what was changed and by the record."""
    problems = []
    for limit in history.limits:
        mine = [one for one in history.rollbacks if one["rule"] == limit.rule]
        changed = {one["id"] for one in mine} & {one.rollback for one in history.by_us}
        begun = [one for one in mine if one["id"] in changed or _kept_place(one)]
        starts = sorted(_seconds(one["committed_at"] or one["opened_at"]) for one in begun)
        most = max((sum(1 for s in starts if at <= s < at + _HOUR_S) for at in starts), default=0)
        if most > limit.per_hour:
            problems.append(f"rule {limit.rule} began {most} in an hour; {limit.per_hour} are allowed")
        waits = [one["id"] for one in mine if one["reason"] == "limit-reached"]
        if waits and most < limit.per_hour:
            problems.append(f"rule {limit.rule} held {waits} back with {most} of {limit.per_hour} begun")
    return problems


def _kept_place(rollback: Mapping[str, Any]) -> bool:
    """Whether it began, and did not give its place back by ending without a change."""
    return rollback["committed_at"] is not None and rollback["state"] == "held"


def whole(history: History) -> list[str]:
    """At every instant the link exists and points to a release that is complete and is one of those it may be."""
    problems = []
    for change in history.changes:
        may_be = history.releases.get(change.instance, frozenset())
        if change.to is None:
            problems.append(f"{change.instance} had no link at {change.at:.3f}")
        elif not change.complete:
            problems.append(f"{change.instance} pointed to {change.to}, of which something was missing")
        elif change.to not in may_be:
            problems.append(f"{change.instance} pointed to {change.to}, which is none of {sorted(may_be)}")
    return problems


def no_change_without_a_journaled_intent_and_none_out_of_scope(history: History) -> list[str]:
    """Each change by us was written down before it was made; what no rule may touch is as it was."""
    problems = [
        f"{one.instance} is outside of every rule and was changed: {one.before} became {one.after}"
        for one in history.outsiders
        if one.before != one.after
    ]
    known = {rollback["id"]: rollback for rollback in history.rollbacks}
    made: Counter[str] = Counter()
    for change in history.by_us:
        made[change.rollback] += 1
        rollback = known.get(change.rollback)
        intents = list(_intents(rollback, "switch")) if rollback else []
        if rollback is None or rollback["instance"] != change.instance:
            problems.append(
                f"{change.instance} was changed by {change.rollback or 'nobody'}, which is not about it"
            )
        elif change.intended is False or made[change.rollback] > len(intents):
            problems.append(
                f"{change.instance} was changed to {change.to}; {change.rollback} had not written that down"
            )
    return problems


def a_pause_is_kept(history: History) -> list[str]:
    """Between a person's pause and its end no rule begins a rollback."""
    return [
        f"{rollback['id']} of {rollback['instance']} began during a pause, at {rollback['committed_at']}"
        for pause in history.pauses
        for rollback in history.rollbacks
        if pause.scope in ("", f"rule {rollback['rule']}", f"service {rollback['service']}")
        if rollback["rule"] and rollback["committed_at"]
        if pause.begun <= _seconds(rollback["committed_at"]) < pause.over
    ]


INVARIANTS: tuple[Invariant, ...] = (
    accepted_has_an_end,
    one_change_per_effect,
    one_unfinished_rollback_per_instance,
    one_step_in_flight_per_instance,
    no_stale_write,
    never_over_a_limit,
    whole,
    no_change_without_a_journaled_intent_and_none_out_of_scope,
    a_pause_is_kept,
)


def violations(history: History) -> dict[str, list[str]]:
    """Return what is wrong, by invariant; empty where nothing is."""
    found = {check.__name__: check(history) for check in INVARIANTS}
    return {name: problems for name, problems in found.items() if problems}


def effects(history: History) -> tuple[int, int]:
    """Return how many changes were made by us, and how many of them were ways back."""
    ours = len(history.by_us)
    back = sum(1 for instance in history.instances for _ in _takes_back(history.of(instance)))
    return ours, back


def _takes_back(changes: Iterable[Change]) -> Iterator[Change]:
    last = DEPLOYER
    for change in changes:
        if change.by == US == last:
            yield change
        last = change.by


def _intents(rollback: Mapping[str, Any], kind: str, phase: str = "") -> Iterator[Mapping[str, Any]]:
    for entry in rollback["journal"]:
        if entry["kind"] == "intent" and entry["step_kind"] == kind and phase in ("", entry["phase"]):
            yield entry


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
