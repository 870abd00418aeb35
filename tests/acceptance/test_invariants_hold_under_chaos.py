"""Whatever fails, the invariants hold: a few fixed seeds of what `make chaos` does with many.

Real processes are killed, stopped past their leases and cut off from Redis and from their hosts; what is asked
here was seen from outside of them. With the product's safeties taken out, the same is seen to break.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from chaos import sabotage
from testbed.programs import REPOSITORY

SEEDS: Mapping[str, tuple[int, dict[str, Any]]] = {
    "killing": (101, {"taste": "killing", "for_s": 8, "faults": 40}),
    "losing and stopping, over SSH": (102, {"taste": "losing", "for_s": 8, "faults": 40}),
}
UNSAFE: tuple[int, dict[str, Any]] = (
    1,
    {
        "sabotage": ",".join(sabotage.NAMES),
        "only": ["do.before"],
        "only_kind": "stop",
        "outside": False,
        "people": False,
        "for_s": 8,
        "stop_s": 14,
        "settles_s": 20,
        "faults": 2,
        "least": 2,
    },
)
"""Every safety is out, and two of four workers are stopped just before they change something, for long."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Run each seed once, all of them side by side."""
    folder = tmp_path_factory.mktemp("chaos")
    running = {name: _start(folder / name[:4], *what) for name, what in {**SEEDS, "unsafe": UNSAFE}.items()}
    for process in running.values():
        process.wait(timeout=250)
    return {name: _result(folder / name[:4]) for name in running}


def _start(folder: Path, seed: int, over: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    folder.mkdir()
    argv = [sys.executable, "-m", "chaos.scenario", "--seed", str(seed), "--folder", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")}
    with (folder / "scenario.log").open("wb") as log:
        return subprocess.Popen([*argv, "--over", json.dumps(over)], env=env, stdout=log, stderr=log)


def _result(folder: Path) -> dict[str, Any]:
    file = folder / "result.json"
    assert file.exists(), (folder / "scenario.log").read_text()[-2000:]
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def broken(results: Mapping[str, Mapping[str, Any]], invariant: str) -> list[str]:
    """Return how an invariant was broken, in whatever seed."""
    return [problem for name in SEEDS for problem in results[name]["violations"].get(invariant, ())]


def test_accepted_has_an_end(results: dict[str, dict[str, Any]]) -> None:
    """Each alert answered 202 has a decision per rule; each rollback ends or is held, with a reason."""
    assert broken(results, "accepted_has_an_end") == []


def test_one_change_per_effect(results: dict[str, dict[str, Any]]) -> None:
    """An arrival is left at most once, and a way back is taken at most once."""
    assert broken(results, "one_change_per_effect") == []


def test_one_unfinished_rollback_per_instance(results: dict[str, dict[str, Any]]) -> None:
    """However many senders, servers and workers there are."""
    assert broken(results, "one_unfinished_rollback_per_instance") == []


def test_one_step_in_flight_per_instance(results: dict[str, dict[str, Any]]) -> None:
    """No restart goes on beside another, though workers slept past their leases."""
    assert broken(results, "one_step_in_flight_per_instance") == []


def test_no_stale_write(results: dict[str, dict[str, Any]]) -> None:
    """After a fence was on a host, no change is made with a lower one."""
    assert broken(results, "no_stale_write") == []


def test_never_over_a_limit(results: dict[str, dict[str, Any]]) -> None:
    """Three of five may begin within the hour: three do."""
    assert broken(results, "never_over_a_limit") == []


def test_whole(results: dict[str, dict[str, Any]]) -> None:
    """At every instant the link points to the old release or to the new one, and all of it is there."""
    assert broken(results, "whole") == []


def test_no_change_without_a_journaled_intent_and_none_out_of_scope(results: dict[str, dict[str, Any]]) -> None:
    """At each change its intent was in Redis; instances that the rules leave alone are as they were."""
    assert broken(results, "no_change_without_a_journaled_intent_and_none_out_of_scope") == []


def test_a_pause_is_kept(results: dict[str, dict[str, Any]]) -> None:
    """Between a person's pause and its end no rule begins a rollback."""
    assert broken(results, "a_pause_is_kept") == []


def test_no_honest_worker_is_taken_for_a_stranger(results: dict[str, dict[str, Any]]) -> None:
    """Every plan and step is sealed; whoever takes over, and whatever Redis forgot, finds the seals whole."""
    ends = [end for name in SEEDS for end in results[name]["ends"]]
    assert not [end for end in ends if "not-sealed" in end or "inventory-changed" in end]


def test_much_failed_and_much_was_done(results: dict[str, dict[str, Any]]) -> None:
    """An invariant that holds because nothing happened would say nothing."""
    for name in SEEDS:
        one = results[name]
        assert one["kills"] > 0
        assert sum(one["faults"].values()) >= 10
        assert one["accepted"] >= 6
        assert one["effects"] >= 3


def test_without_its_safeties_the_same_is_seen_to_break(results: dict[str, dict[str, Any]]) -> None:
    """No fence, compare, rename, intent or limits: each is missed by the invariant that rests on it."""
    missed = {
        "no_stale_write",
        "one_change_per_effect",
        "whole",
        "no_change_without_a_journaled_intent_and_none_out_of_scope",
        "never_over_a_limit",
    }
    assert missed <= set(results["unsafe"]["violations"]), results["unsafe"]
