"""Time limits that contradict each other are refused at start, and the refusal says which two and what to set."""

from __future__ import annotations

import pytest

from controller.settings import Numbers

CONTRADICTIONS = [
    ({"call_timeout_s": 10}, "call_timeout_s (10) must be less than lease_ttl_s (10)"),
    ({"lease_lost_s": 12}, "lease_lost_s (12) must be less than lease_ttl_s (10)"),
    ({"lease_renew_s": 8}, "lease_renew_s (8) must be less than lease_lost_s (7)"),
    (
        {"lease_renew_s": 6.5},
        "lease_renew_s (6.5) plus lease_renew_timeout_s (1) must not exceed lease_lost_s (7)",
    ),
    ({"step_deadline_s": 600}, "step_deadline_s (600) must be less than acting_deadline_s (600)"),
    (
        {"job_timeout_s": 90},
        "job_timeout_s (90) must be more than step_deadline_s (60) plus stretch_sleep_max_s (30)",
    ),
    ({"termination_grace_s": 30}, "termination_grace_s (30) must be at least step_deadline_s (60)"),
    ({"web_read_s": 2}, "web_connect_s (0.3) plus web_read_s (2) must not exceed 1"),
    ({"reconcile_every_s": 5}, "reconcile_every_s (5) must be less than due_first_s (5)"),
    ({"relearn_every_s": 60}, "relearn_every_s (60) must be less than relearn_absent_s (60)"),
    ({"relearn_absent_s": 300}, "relearn_absent_s (300) must be less than relearn_settled_s (300)"),
    ({"due_first_s": 60}, "due_first_s (60) must be less than due_max_s (60)"),
]


def test_the_defaults_agree() -> None:
    """What nobody changed is never refused."""
    assert Numbers().contradictions() == ()


@pytest.mark.parametrize(("changed", "said"), CONTRADICTIONS)
def test_a_contradiction_names_both_numbers_and_what_to_set(changed: dict[str, float], said: str) -> None:
    """One sentence for each, ending with what to do."""
    found = Numbers(**changed).contradictions()
    matching = [sentence for sentence in found if sentence.startswith(said)]
    assert matching, found
    assert "Set " in matching[0]


def test_shorter_numbers_that_agree_are_fine() -> None:
    """Tests of crashes do not want to wait for a minute."""
    short = Numbers(
        call_timeout_s=0.5, lease_ttl_s=2, lease_renew_s=0.5, lease_renew_timeout_s=0.3, lease_lost_s=1.2,
        step_deadline_s=5, acting_deadline_s=30, stretch_sleep_max_s=2, job_timeout_s=10,
        reconcile_every_s=0.2, due_first_s=0.5, due_max_s=2, termination_grace_s=10,
    )  # fmt: skip
    assert short.contradictions() == ()
