"""What holds a rollback back, people are told of; and it goes on by itself when the reason ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed.commands import beside, does
from testbed.guarded import Guarded, guarded, open_now, rule_for
from testbed.local_shops import together
from testbed.wait import stays, until

PAUSED_S = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation whose rules act."""
    rule_file = together(
        rule_for("Acts"),
        rule_for("Good", to=["last-known-good"]),
        rule_for("Frozen", guards={"freeze": ["trading"]}),
    )
    policy = {"freeze": {"trading": open_now("hold")}}
    names = ("frozen", "all-bad", "paused", "locked")
    with guarded(tmp_path_factory.mktemp("held"), names, rule_file, policy=policy) as running:
        yield running


def test_where_every_release_is_known_to_be_bad_nothing_is_touched(site: Guarded) -> None:
    """Marked by a person; it does not fall back to what is bad as well, and says so of each."""
    for release in ("v1.2.0", "v1.3.0"):
        does(site.installed, "releases", "bad", "all-bad", release, "--why", "loses orders")
    entry = site.fires("all-bad", "Good")
    held = site.becomes("all-bad", state="waiting", reason="no-candidate")
    told = site.people.hear("Held: all-bad")
    assert "v1.2.0" in told
    why = site.why(held["id"])
    assert "v1.2.0 (known-bad)" in why
    assert "loses orders" in why
    stays(lambda: site.untouched("all-bad"), for_s=1, what="nothing is done")
    site.resolves(entry)
    assert len(site.people.told("all-bad")) == 1, "one message about it"


def test_a_freeze_window_that_holds_lets_nothing_through(site: Guarded) -> None:
    """It is open by the clocks of its own time zone; nobody is asked."""
    entry = site.fires("frozen", "Frozen")
    held = site.becomes("frozen", state="waiting", reason="frozen")
    site.people.hear("Held: frozen", "trading")
    assert "Asia/Kathmandu" in site.why(held["id"])
    stays(lambda: site.untouched("frozen"), for_s=1, what="nothing is done")
    assert not site.people.told("Approve?")
    site.resolves(entry)


def test_after_a_pause_with_an_end_it_goes_on_by_itself(site: Guarded) -> None:
    """Nobody says `resume`; what waited is judged anew, and goes back."""
    does(site.installed, "pause", "--for", f"{PAUSED_S}s", "--reason", "network work")
    entry = site.fires("paused", "Acts")
    held = site.becomes("paused", state="waiting", reason="paused-by-person")
    assert site.untouched("paused")
    assert "network work" in site.people.hear("Held: paused")
    assert "network work" in does(site.installed, "status")
    done = site.recovers("paused", entry)
    assert done["id"] == held["id"]
    assert "network work" not in does(site.installed, "status")


def test_a_deploy_lock_holds_until_its_command_ends(site: Guarded) -> None:
    """The lock is held by a real command; when that ends, the rollback begins at once."""
    with beside(
        site.installed, "lock", "--reason", "deploys v1.4.0", "locked", "--", "sh", "-c", "read end"
    ) as tool:
        until(
            lambda: "locked: locked" in does(site.installed, "status"),
            within_s=20,
            what="the service is locked",
        )
        entry = site.fires("locked", "Acts")
        held = site.becomes("locked", state="waiting", reason="deploy-locked")
        assert "deploys v1.4.0" in site.why(held["id"])
        stays(lambda: site.untouched("locked"), for_s=1, what="nothing is done while it is deployed")
        tool.communicate("over\n", timeout=60)
        assert tool.returncode == 0
    assert site.recovers("locked", entry)["id"] == held["id"]
