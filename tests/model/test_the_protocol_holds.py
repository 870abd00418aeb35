"""The invariants of the protocol hold whatever happens between any two calls."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from model.machine import Protocol

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
CI = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_happens_between_two_calls(protocol: type[Protocol]) -> None:
    """The same worlds each time; MODEL_EXAMPLES=20000 goes through as many others, chosen anew."""
    chosen = CI
    if EXAMPLES:
        chosen = settings(CI, max_examples=EXAMPLES, derandomize=False, print_blob=True)
    run_state_machine_as_test(protocol, settings=chosen)
