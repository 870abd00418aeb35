"""A rule that asks: people get the plan over a real channel, and nothing changes without their yes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed.commands import approver, does, run
from testbed.guarded import Guarded, guarded, open_now, rule_for
from testbed.local_shops import together
from testbed.wait import stays, until

ASKS_FOR_S = 10


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation with one rule that asks, and one that a freeze window binds."""
    rule_file = together(
        rule_for("Asks", mode="ask"), rule_for("Frozen", guards={"freeze": ["trading"]}), rule_for("Acts")
    )
    policy = {"freeze": {"trading": open_now("ask")}, "asks_for": f"{ASKS_FOR_S}s"}
    names = ("yes", "no", "nobody", "frozen", "resolved", "old")
    with guarded(tmp_path_factory.mktemp("asks"), names, rule_file, policy=policy) as running:
        running.fires("nobody", "Asks")  # whose time is over while the other tests run
        yield running


def test_yes_acts(site: Guarded) -> None:
    """The message has what, from where to where, and how to answer; `status` shows it; a yes carries it out."""
    entry = site.fires("yes", "Asks")
    asked = site.people.hear("Approve?", "yes: v1.3.0 → v1.2.0")
    ident = site.becomes("yes", state="waiting", reason="ask-mode")["id"]
    assert f"rollbackctl approve {ident}" in asked
    assert ident in does(site.installed, "status")
    assert site.untouched("yes")
    operator = run(
        site.installed, "approve", ident, ROLLBACK_TOKEN_FILE=str(site.installed.token_file("operator"))
    )
    assert operator.returncode == 4
    does(site.installed, "approve", ident, **approver(site.installed))
    assert site.recovers("yes", entry)["id"] == ident
    assert "approver" in site.why(ident)


def test_no_ends_it(site: Guarded) -> None:
    """A no is final for this episode of the alert, and kept with its reason."""
    site.fires("no", "Asks")
    ident = site.becomes("no", state="waiting", reason="ask-mode")["id"]
    does(site.installed, "deny", ident, "--reason", "it is the database", **approver(site.installed))
    site.becomes("no", state="ended")
    assert "it is the database" in site.why(ident)
    late = run(site.installed, "approve", ident, **approver(site.installed))
    assert late.returncode == 1
    assert site.untouched("no")


def test_an_alert_that_resolves_takes_its_question_back(site: Guarded) -> None:
    """Nobody is needed any more; a late yes finds nothing."""
    entry = site.fires("resolved", "Asks")
    ident = site.becomes("resolved", state="waiting", reason="ask-mode")["id"]
    site.resolves(entry)
    site.becomes("resolved", state="ended", outcome="resolved")
    assert run(site.installed, "approve", ident, **approver(site.installed)).returncode == 1
    assert site.untouched("resolved")


def test_a_freeze_window_of_another_time_zone_asks(site: Guarded) -> None:
    """It is open there, so even a rule that acts asks; the yes carries it out."""
    entry = site.fires("frozen", "Frozen")
    ident = site.becomes("frozen", state="waiting", reason="frozen")["id"]
    site.people.hear("Approve?", "frozen: v1.3.0 → v1.2.0", "trading")
    assert site.untouched("frozen")
    does(site.installed, "approve", ident, **approver(site.installed))
    site.recovers("frozen", entry)


def test_a_yes_to_a_plan_that_is_stale_asks_again(site: Guarded) -> None:
    """Another release came between question and answer: the yes was not for that."""
    site.fires("old", "Asks")
    ident = site.becomes("old", state="waiting", reason="ask-mode")["id"]
    site.shops["old"].deploy("v1.2.0")
    site.shops["old"].deploy("v1.3.0")
    does(site.installed, "approve", ident, **approver(site.installed))
    until(
        lambda: (
            site.installed.rollback(ident)["state"] == "ended" or len(site.people.told("Approve?", "old:")) > 1
        ),
        within_s=20,
        what="the yes is not taken for the new arrival",
    )
    stays(lambda: site.untouched("old"), for_s=1, what="nothing is done to the release that came meanwhile")


def test_without_an_answer_it_expires(site: Guarded) -> None:
    """Its time is over by itself, and nothing was changed."""
    found = site.becomes("nobody", state="ended", outcome="expired", within_s=ASKS_FOR_S + 20)
    assert found["reason"] == "expired"
    assert site.untouched("nobody")
