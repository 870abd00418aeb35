"""A false alarm is undone: the release runs again, what was said against it is taken back, and its rule asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed import shop
from testbed.commands import does, printed, run
from testbed.guarded import Guarded, guarded, rule_for
from testbed.local_shops import together
from testbed.wait import until

KNOWN_BAD = 10


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation whose shops are well: the alerts about them are wrong."""
    names = ("undone", "asks", "acts")
    rule_file = together(rule_for("Acts"), rule_for("Other"))
    with guarded(tmp_path_factory.mktemp("undone"), names, rule_file) as running:
        for one in running.shops.values():
            shop.write_release(one.releases, "v1.3.0", shop.WELL)
            shop.write_release(one.releases, "v1.1.0", shop.WELL)
        yield running


def test_undo_of_a_false_alarm(site: Guarded) -> None:
    """The release comes back, its mark is lifted, and the rule may only ask until somebody promotes it."""
    does(site.installed, "releases", "good", "undone", "v1.3.0", "--why", "three weeks of traffic")
    entry = site.fires("undone", "Acts")
    first = site.recovers("undone", entry)["id"]
    assert run(site.installed, "releases", "verdict", "undone", "v1.3.0").returncode == KNOWN_BAD

    does(site.installed, "undo", first, "--false-alarm", "--reason", "a probe failed")
    until(lambda: site.shops["undone"].running() == "v1.3.0", within_s=20, what="the release runs again")
    verdict = printed(site.installed, "releases", "verdict", "undone", "v1.3.0")
    assert (verdict["verdict"], verdict["why"]) == ("good", "three weeks of traffic")
    gone = printed(site.installed, "releases", "verdict", "undone", "v1.2.0")
    assert gone["verdict"] == "unknown", "what the undo left is not under suspicion"

    status = does(site.installed, "status")
    assert "a probe failed" in status
    asking = site.fires("asks", "Acts")
    site.becomes("asks", state="waiting", reason="demoted")
    site.resolves(asking)
    site.becomes("asks", state="ended", outcome="resolved")
    assert site.untouched("asks")
    once_promoted_it_acts_again(site)
    what_a_person_brought_back_is_asked_about(site)


def once_promoted_it_acts_again(site: Guarded) -> None:
    """See that it acts by a person's word, and no earlier."""
    does(site.installed, "promote", "acts")
    entry = site.fires("acts", "Acts")
    site.recovers("acts", entry)


def what_a_person_brought_back_is_asked_about(site: Guarded) -> None:
    """See that a rule which was not demoted asks as well, and does not take the release away again by itself."""
    until(
        lambda: all(one["state"] == "ended" for one in site.installed.rollbacks() if one["service"] == "undone"),
        within_s=30,
        what="the undo has ended",
    )
    entry = site.fires("undone", "Other")

    def asks() -> bool:
        found = [one for one in site.installed.rollbacks() if one["rule"] == "other"]
        return [(one["state"], one["reason"]) for one in found] == [("waiting", "person-first")]

    until(asks, within_s=30, what="a person is asked")
    assert site.shops["undone"].running() == "v1.3.0"
    site.resolves(entry)
