"""What two looks at one arrival say together, and which environment labels name."""

from __future__ import annotations

import pytest

from rules.arrivals import narrowed
from rules.facts import Arrival, Hand
from rules.services import environment_of


@pytest.mark.parametrize(
    ("told", "known", "both"),
    [
        (Arrival(90, 10), Arrival(50, 20), Arrival(50, 20)),
        (Arrival(50), Arrival(90, 20), Arrival(50, 20)),
        (Arrival(50), Arrival(60), Arrival(50)),
        (Arrival(50, 50), Arrival(90, 20), Arrival(50, 50)),
        (Arrival(10, 10), Arrival(90, 20), Arrival(20, 10)),
        (Arrival(50, 10), Arrival(50, 10, Hand.ROLLBACK, "r1"), Arrival(50, 10, Hand.ROLLBACK, "r1")),
        (Arrival(50, 10, Hand.PERSON, "ann"), Arrival(50, 10), Arrival(50, 10, Hand.PERSON, "ann")),
    ],
    ids=["each end", "one begins nowhere", "no beginning", "exact", "clocks differ", "ours", "a person's"],
)
def test_the_later_start_and_the_earlier_end(told: Arrival, known: Arrival, both: Arrival) -> None:
    """Where they contradict each other both are covered."""
    assert narrowed(told, known) == both


@pytest.mark.parametrize(
    ("labels", "environment"),
    [
        ({"environment": "prod", "env": "staging"}, "prod"),
        ({"env": "staging", "app.kubernetes.io/environment": "prod"}, "staging"),
        ({"app.kubernetes.io/environment": "prod"}, "prod"),
        ({"environment": "", "env": "staging"}, "staging"),
        ({"track": "canary"}, ""),
    ],
)
def test_which_environment_labels_name(labels: dict[str, str], environment: str) -> None:
    """The first that says something."""
    assert environment_of(labels) == environment
