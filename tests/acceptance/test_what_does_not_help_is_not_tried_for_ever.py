"""What did not help is brought back where its rule says so; twice in a row, rules leave it to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from testbed import shop
from testbed.commands import does, printed
from testbed.guarded import Guarded, guarded, rule_for
from testbed.local_shops import together
from testbed.wait import until

QUICK = {"healthy-within": "20s", "steady": "0s", "cleared-within": "1s"}
OPEN = 'rollback_controller_loop_breakers_open{service="loops"} 1.0'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation whose shops are well: going back helps nothing."""
    rule_file = together(
        rule_for("Undoes", verify={**QUICK, "on-ineffective": "undo"}),
        *(rule_for(name, verify=QUICK) for name in ("First", "Second", "Third")),
    )
    with guarded(tmp_path_factory.mktemp("loops"), ("undone", "loops"), rule_file) as running:
        for one in running.shops.values():
            shop.write_release(one.releases, "v1.3.0", shop.WELL)
        yield running


def of(site: Guarded, alertname: str, **fields: str) -> dict[str, Any]:
    """Return the one rollback of the rule about these alerts; fails where it is not so."""
    one_of = [one for one in site.installed.rollbacks() if one["rule"] == alertname.lower()]
    assert len(one_of) == 1, one_of
    found = one_of[0]
    assert {key: found[key] for key in fields} == fields, found
    return found


def goes_on(site: Guarded, name: str, alertname: str) -> dict[str, Any]:
    """Have an alert fire and go on, whatever is done about it, until its rollback ended ineffective."""
    site.fires(name, alertname)

    def ineffective() -> dict[str, Any]:
        site.fires(name, alertname)
        return of(site, alertname, state="ended", outcome="ineffective", reason="still-firing")

    found = until(ineffective, within_s=30, what=f"the rollback for {alertname} ends ineffective")
    site.resolves(site.alert(name, alertname))
    return found


def test_what_did_not_help_is_brought_back(site: Guarded) -> None:
    """v1.3.0 runs again, restarted once more; people read it, and so does whoever asks why."""
    found = goes_on(site, "undone", "Undoes")
    assert (site.shops["undone"].running(), site.shops["undone"].restarts()) == ("v1.3.0", 2)
    assert found["detail"].startswith("v1.3.0 was brought back, in place of v1.2.0, which did not help")
    site.people.hear("NOT recovered", "v1.3.0 was brought back")
    assert "v1.3.0 was brought back" in site.why(found["id"])
    assert printed(site.installed, "releases", "verdict", "undone", "v1.3.0")["verdict"] == "unknown"


def test_the_second_in_a_row_leaves_the_service_to_a_person(site: Guarded) -> None:
    """The third alert is held, everything says so, and after `resume` its rule acts."""
    goes_on(site, "loops", "First")
    assert "loop-breaker" not in does(site.installed, "status")
    site.shops["loops"].deploy("v1.3.0")
    second = goes_on(site, "loops", "Second")
    site.people.hear("Loop-breaker: rules leave loops alone", "rollbackctl resume --service loops", second["id"])

    site.shops["loops"].deploy("v1.3.0")
    site.fires("loops", "Third")
    until(lambda: of(site, "Third", state="waiting", reason="loop-breaker"), within_s=30, what="the third is held")
    status = does(site.installed, "status")
    assert "Held by the loop-breaker" in status
    assert "2 rollbacks in a row did not help" in status
    history = does(site.installed, "history")
    assert "opened the loop-breaker" in history
    assert "Rules leave loops alone" in history
    assert OPEN in site.installed.ask("/metrics", token=None).text
    assert site.shops["loops"].running() == "v1.3.0"

    said = does(site.installed, "resume", "--service", "loops", "--reason", "the database was full")
    assert "Resumed loops, which its loop-breaker held" in said
    until(lambda: site.shops["loops"].running() == "v1.2.0", within_s=30, what="the third goes back")
    assert OPEN not in site.installed.ask("/metrics", token=None).text
    deeds = site.installed.ask("/api/v1/deeds").json["deeds"]
    assert ("resume loop-breaker", "service loops") in [(deed["what"], deed["about"]) for deed in deeds]
