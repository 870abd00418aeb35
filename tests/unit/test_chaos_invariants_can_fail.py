"""What breaks an invariant is noticed: each, shown a history that breaks it, says so, and no other does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from chaos.history import (
    DEPLOYER,
    US,
    Accepted,
    Change,
    Fence,
    History,
    Limit,
    Outsider,
    Pause,
    Restart,
)
from chaos.invariants import INVARIANTS, effects, violations

ONE, TWO, OUTSIDE = "hosts/default/one/one", "hosts/default/two/two", "hosts/default/outside/outside"
OLD, BAD = "v1.2.0", "v1.3.0"


def intent(kind: str = "switch", phase: str = "plan") -> dict[str, Any]:
    return {"kind": "intent", "step_kind": kind, "phase": phase, "at": 1000}


def rollback(ident: str, instance: str, second: int, **over: Any) -> dict[str, Any]:
    """Return a rollback that began in a second of one minute and ended 8 s later."""
    at = f"2026-01-01T00:00:{second:02}.000Z"
    return {
        "id": ident,
        "instance": instance,
        "service": instance.split("/")[2],
        "rule": "rule",
        "state": "ended",
        "outcome": "recovered",
        "reason": "cleared",
        "detail": "it is well",
        "opened_at": at,
        "committed_at": at,
        "ended_at": f"2026-01-01T00:00:{second + 8:02}.000Z",
        "journal": [intent()],
        **over,
    }


def brought(instance: str, to: str | None, ident: str, fence: int, **over: Any) -> Change:
    return Change(
        instance, fence, US, to, **{"complete": True, "fence": fence, "rollback": ident, "intended": True, **over}
    )


def deployed(instance: str, to: str, at: float = 0) -> Change:
    return Change(instance, at, DEPLOYER, to, complete=True)


FIRST, SECOND = rollback("r1", ONE, 10), rollback("r2", TWO, 20)
GOOD = History(
    changes=[deployed(ONE, BAD), deployed(TWO, BAD), brought(ONE, OLD, "r1", 10), brought(TWO, OLD, "r2", 20)],
    fences=[Fence(ONE, 10, 10), Fence(TWO, 20, 20)],
    restarts=[
        Restart(ONE, True, 7, 10),
        Restart(ONE, False, 7),
        Restart(TWO, True, 8, 20),
        Restart(TWO, False, 8),
    ],
    rollbacks=[FIRST, SECOND],
    unfinished_seen=[[ONE, TWO], [TWO]],
    decisions={"aa": [{"rule": "rule"}], "bb": [{"rule": "rule"}]},
    accepted=[Accepted("aa", ONE, frozenset({"rule"})), Accepted("bb", TWO, frozenset({"rule"}))],
    limits=[Limit("rule", 2)],
    outsiders=[Outsider(OUTSIDE, (1, 2), (1, 2))],
    pauses=[Pause("", 1767225640, 1767225645)],
    releases={ONE: frozenset({OLD, BAD}), TWO: frozenset({OLD, BAD}), OUTSIDE: frozenset({BAD})},
)
"""Two instances that went back, one after the other; a pause after both."""


def with_changes(*more: Change) -> dict[str, Any]:
    return {"changes": [*GOOD.changes, *more]}


def with_first(**over: Any) -> dict[str, Any]:
    return {"rollbacks": [{**FIRST, **over}, SECOND]}


BREAKS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "an alert that was accepted is forgotten": ("accepted_has_an_end", {"decisions": {"aa": [{"rule": "rule"}]}}),
    "one of its rules never decides": (
        "accepted_has_an_end",
        {"decisions": {**GOOD.decisions, "aa": [{"rule": "x"}]}},
    ),
    "a rollback goes on for ever": ("accepted_has_an_end", with_first(state="parked", outcome="")),
    "one is held without a reason": ("accepted_has_an_end", with_first(state="held", outcome="", reason="")),
    "one rollback changes twice": (
        "one_change_per_effect",
        {
            **with_changes(brought(ONE, BAD, "r1", 11)),
            **with_first(journal=[intent(), intent()]),
        },
    ),
    "another takes back what was brought": (
        "one_change_per_effect",
        {
            **with_changes(brought(ONE, BAD, "r3", 50)),
            "limits": [],
            "rollbacks": [FIRST, SECOND, rollback("r3", ONE, 50)],
        },
    ),
    "there are two ways back": (
        "one_change_per_effect",
        {
            **with_changes(brought(ONE, BAD, "r1", 11), brought(ONE, OLD, "r1", 12)),
            **with_first(journal=[intent(), intent(phase="way-back"), intent()]),
        },
    ),
    "the API shows two at once": ("one_unfinished_rollback_per_instance", {"unfinished_seen": [[ONE, TWO, ONE]]}),
    "one is opened before the other ended": (
        "one_unfinished_rollback_per_instance",
        {
            "rollbacks": [FIRST, SECOND, rollback("r3", ONE, 12, committed_at=None)],
        },
    ),
    "a restart goes on beside another": (
        "one_step_in_flight_per_instance",
        {
            "restarts": [
                Restart(ONE, True, 7, 10),
                Restart(ONE, True, 9, 10),
                Restart(ONE, False, 7),
                Restart(ONE, False, 9),
            ]
        },
    ),
    "a fence goes down": ("no_stale_write", {"fences": [Fence(ONE, 10, 10), Fence(ONE, 11, 9)]}),
    "a change is made with a lower fence": ("no_stale_write", {"fences": [Fence(ONE, 9, 15)]}),
    "a restart is made with a lower fence": (
        "no_stale_write",
        {
            "restarts": [
                Restart(ONE, True, 7, 10),
                Restart(ONE, False, 7),
                Restart(ONE, True, 9, 9),
                Restart(ONE, False, 9),
            ]
        },
    ),
    "two begin where one may": ("never_over_a_limit", {"limits": [Limit("rule", 1)]}),
    "one waits though there is room": (
        "never_over_a_limit",
        {
            "limits": [Limit("rule", 3)],
            "rollbacks": [FIRST, SECOND, rollback("r3", OUTSIDE, 30, committed_at=None, reason="limit-reached")],
        },
    ),
    "there is no link for a moment": ("whole", with_changes(brought(ONE, None, "r1", 9))),
    "a release is not complete": (
        "whole",
        {
            "changes": [
                *GOOD.changes[:2],
                brought(ONE, OLD, "r1", 10, complete=False),
                GOOD.changes[3],
            ]
        },
    ),
    "nobody knows the release": (
        "whole",
        {
            "changes": [
                *GOOD.changes[:2],
                brought(ONE, "v0.0.1", "r1", 10),
                GOOD.changes[3],
            ]
        },
    ),
    "Redis did not hold the intent then": (
        "no_change_without_a_journaled_intent_and_none_out_of_scope",
        {"changes": [*GOOD.changes[:2], brought(ONE, OLD, "r1", 10, intended=False), GOOD.changes[3]]},
    ),
    "there never was an intent": (
        "no_change_without_a_journaled_intent_and_none_out_of_scope",
        with_first(journal=[intent("restart")]),
    ),
    "an unknown rollback changes something": (
        "no_change_without_a_journaled_intent_and_none_out_of_scope",
        {"rollbacks": [SECOND]},
    ),
    "an instance outside of the rule is touched": (
        "no_change_without_a_journaled_intent_and_none_out_of_scope",
        {"outsiders": [Outsider(OUTSIDE, (1, 2), (1, 3))]},
    ),
    "a rule begins during a pause": ("a_pause_is_kept", {"pauses": [Pause("", 1767225608, 1767225612)]}),
    "a rule begins though it is paused": (
        "a_pause_is_kept",
        {"pauses": [Pause("rule rule", 1767225608, 1767225612)]},
    ),
}


def test_a_good_history_breaks_nothing() -> None:
    """Two went back once each."""
    assert violations(GOOD) == {}
    assert effects(GOOD) == (2, 0)


@pytest.mark.parametrize("name", BREAKS)
def test_what_breaks_an_invariant_is_told_by_its_name(name: str) -> None:
    """And by no other's."""
    invariant, over = BREAKS[name]
    assert set(violations(replace(GOOD, **over))) == {invariant}


def test_every_invariant_is_shown_to_fail() -> None:
    """None of them is a formality."""
    assert {invariant for invariant, _ in BREAKS.values()} == {check.__name__ for check in INVARIANTS}


def test_a_way_back_is_no_second_change() -> None:
    """What was gone to and is not healthy is left again, once, by the same rollback, as its journal says."""
    journal = [intent(), intent(phase="way-back")]
    there_and_back = replace(GOOD, **with_changes(brought(ONE, BAD, "r1", 11)), **with_first(journal=journal))
    assert violations(there_and_back) == {}
    assert effects(there_and_back) == (3, 1)


def test_a_restart_that_was_killed_is_not_in_flight() -> None:
    """It never ends; the next one begins and ends."""
    lines = [Restart(ONE, True, 7, 10), Restart(ONE, True, 9, 11), Restart(ONE, False, 9)]
    assert violations(replace(GOOD, restarts=lines)) == {}


def test_a_new_arrival_may_be_left_anew() -> None:
    """A deployer brought another release since; that one is a new effect."""
    again = with_changes(deployed(ONE, BAD, 30), brought(ONE, OLD, "r3", 50))
    third = rollback("r3", ONE, 50)
    assert violations(replace(GOOD, **again, rollbacks=[FIRST, SECOND, third], limits=[Limit("rule", 3)])) == {}
