"""Trap 16: a refused body comes back every group_interval, for ever; the log says so once a minute and counts."""

from __future__ import annotations

from controller.web.log_limits import LogLimit


class Clock:
    at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def test_one_line_goes_through_and_the_next_says_how_many_did_not() -> None:
    """None means: hold this one back."""
    clock = Clock()
    limit = LogLimit(60, clock)
    assert [limit.held_back("10.0.0.1", "400") for _ in range(4)] == [0, None, None, None]
    clock.at_s += 60
    assert limit.held_back("10.0.0.1", "400") == 3
    assert limit.held_back("10.0.0.1", "400") is None


def test_each_client_and_problem_has_its_own_line() -> None:
    """One noisy sender hides nobody else's first mistake."""
    limit = LogLimit(60, Clock())
    assert [limit.held_back("10.0.0.1", "400"), limit.held_back("10.0.0.2", "400")] == [0, 0]
    assert limit.held_back("10.0.0.1", "413") == 0


def test_many_clients_take_bounded_memory() -> None:
    """The oldest is forgotten; at worst it gets a line more."""
    limit = LogLimit(60, Clock())
    for number in range(5000):
        limit.held_back(str(number))
    assert limit.held_back("4999") is None
    assert limit.held_back("0") == 0
